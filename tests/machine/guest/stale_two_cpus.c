/* SPDX-License-Identifier: MIT */
/*
 * A right that one CPU takes away stays with another, which knows nothing of it (stale.c). TLBSYNC
 * waits for the INVLPGBs of its own CPU only (APM volume 3, TLBSYNC), and a flush of one CPU by CR4
 * is nothing to another.
 */
#include "tests/machine/guest/guest.h"
#include "tests/machine/guest/translations.h"

enum order { NOTHING, STORE, SYNC, PGE };

static volatile enum order order;
static volatile uint64_t answer;

static void second_cpu(void)
{
	for (;;) {
		switch (order) {
		case STORE:
			answer = try_store(TEST_PAGE);
			break;
		case SYNC:
			tlbsync();
			break;
		case PGE:
			change_cr4(CR4_PGE);
			break;
		default:
			__asm__ volatile("pause");
			continue;
		}
		order = NOTHING;
	}
}

static uint64_t on_second(enum order what)
{
	answer = 0;
	order = what;
	while (order != NOTHING)
		__asm__ volatile("pause");
	return answer;
}

static uint64_t take_away(void)
{
	uint64_t bad = pvalidate(TEST_PAGE, 0, 1).eax;

	bad |= on_second(STORE);
	return bad | pvalidate(TEST_PAGE, 0, 0).eax;
}

void test_main(void)
{
	translations_start();
	check("page state change to private", page_make_private(TEST_PAGE), 0x015);
	second_cpu_start(second_cpu);

	check("the other CPU writes", take_away() | on_second(STORE), 0);
	change_cr4(CR4_PGE);
	check("  also after a change of CR4.PGE here", on_second(STORE), 0);
	check("  which ends it here", try_store(TEST_PAGE), NOT_VALIDATED);
	invlpgb(WHOLE_VM, 0, 0);
	check("  also after INVLPGB here", on_second(STORE), 0);
	(void)on_second(SYNC);
	check("  and TLBSYNC there", on_second(STORE), 0);
	tlbsync();
	check("  not after TLBSYNC here", on_second(STORE), NOT_VALIDATED);

	check("the other CPU writes again", take_away() | on_second(STORE), 0);
	(void)on_second(PGE);
	check("  not after a change of CR4.PGE there", on_second(STORE), NOT_VALIDATED);

	check("the other CPU writes once more", take_away() | on_second(STORE), 0);
	check("  the host updates the RMP", page_make_shared(TEST_PAGE), 0x015);
	check("  and once more", page_make_private(TEST_PAGE), 0x015);
	check("  not after that", on_second(STORE), NOT_VALIDATED);
	trap_handler = NULL;
}
