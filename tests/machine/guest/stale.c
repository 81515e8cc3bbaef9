/* SPDX-License-Identifier: MIT */
/*
 * PVALIDATE and RMPADJUST invalidate no TLB (APM volume 3 names no invalidation for either), so a
 * right that is taken away stays with a CPU that has it in a translation. What ends it: volume 2,
 * 5.5.3 (CR4.PGE, CR4.PSE), volume 3, INVLPGB and TLBSYNC, and RMPUPDATE (volume 2, 15.36.5). What
 * does not: MOV to CR3 leaves global entries (5.5.2), INVLPG those of other addresses; translations
 * of another VMPL are others. COCONUT-SVSM and OpenHCL flush with INVLPGB and TLBSYNC there too.
 *
 * On hardware the rules "still" may fail: it may drop a translation at any time.
 */
#include "tests/machine/guest/guest.h"
#include "tests/machine/guest/translations.h"

static uint64_t (*volatile task)(void); /* what VMPL2 does next */
static volatile uint64_t result;

static void at_level2(void)
{
	for (;;) {
		result = task ? task() : 0;
		level2_return();
	}
}

static uint64_t at_level2_do(uint64_t (*what)(void))
{
	task = what;
	return level2_run() == 0x017 ? result : ~0ull;
}

static uint64_t store(void)
{
	return try_store(TEST_PAGE);
}

static uint64_t change_pge(void)
{
	change_cr4(CR4_PGE);
	return 0;
}

static uint64_t change_pse(void)
{
	change_cr4(CR4_PSE);
	return 0;
}

static uint64_t write_same_cr4(void)
{
	change_cr4(0);
	return 0;
}

static uint64_t reload(void)
{
	reload_cr3();
	return 0;
}

static uint64_t invalidate_page(void)
{
	invlpg(TEST_PAGE);
	return 0;
}

static uint64_t leave_to_host(void)
{
	return ghcb_msr_call(0x002) & 0xfff;
}

static uint64_t broadcast(void)
{
	invlpgb(WHOLE_VM, 0, 0);
	return 0;
}

static uint64_t broadcast_and_wait(void)
{
	invlpgb(WHOLE_VM, 0, 0);
	tlbsync();
	return 0;
}

/* VMPL2 has the page in a translation, and then PVALIDATE takes it away. */
static uint64_t take_away(void)
{
	uint64_t bad = pvalidate(TEST_PAGE, 0, 1).eax;

	bad |= rmpadjust(TEST_PAGE, 0, 0xf02);
	bad |= at_level2_do(store);
	bad |= try_store(TEST_PAGE);
	bad |= pvalidate(TEST_PAGE, 0, 0).eax;
	return bad | at_level2_do(store);
}

static void still(const char *rule, uint64_t (*at_level2)(void), uint64_t (*at_level0)(void))
{
	uint64_t bad = take_away();

	if (at_level2)
		(void)at_level2_do(at_level2);
	if (at_level0)
		(void)at_level0();
	check(rule, bad | at_level2_do(store), 0);
	(void)broadcast_and_wait();
}

static void ends(const char *rule, uint64_t (*at_level2)(void), uint64_t (*at_level0)(void))
{
	check("VMPL2 writes after PVALIDATE took the page away", take_away(), 0);
	if (at_level2)
		(void)at_level2_do(at_level2);
	if (at_level0)
		(void)at_level0();
	check(rule, at_level2_do(store), NOT_VALIDATED);
}

static uint64_t change_side(void)
{
	return page_make_shared(TEST_PAGE) | page_make_private(TEST_PAGE);
}

/* An INVLPGB that leaves something: by address, by PCID, no global or no nested translations. */
static void narrow(const char *rule, uint64_t rax)
{
	uint64_t bad = take_away();

	invlpgb(rax, 0, 0);
	tlbsync();
	check(rule, bad | at_level2_do(store), 0);
	(void)broadcast_and_wait();
}

/* Between INVLPGB and TLBSYNC: the first may be over already. */
static void taken_in_between(void)
{
	uint64_t bad = pvalidate(TEST_PAGE, 0, 1).eax;

	bad |= at_level2_do(store);
	(void)broadcast();
	bad |= pvalidate(TEST_PAGE, 0, 0).eax;
	tlbsync();
	check("still when it is taken between INVLPGB and TLBSYNC", bad | at_level2_do(store), 0);
	(void)broadcast_and_wait();
}

static void own_rights(void)
{
	check("VMPL0 writes after its own PVALIDATE", take_away() | store(), 0);
	check("  and after MOV to CR3", reload() | store(), 0);
	check("  not after a change of CR4.PGE", change_pge() | store(), NOT_VALIDATED);
	check("  but VMPL2 does", at_level2_do(store), 0);
	check("PVALIDATE gives the page back", pvalidate(TEST_PAGE, 0, 1).eax, 0);
	check("  and VMPL0 writes", store(), 0);
}

void test_main(void)
{
	translations_start();
	check("page state change to private", page_make_private(TEST_PAGE), 0x015);
	level2_create(at_level2);
	level2_start();
	check("run VMPL2 and come back (GHCB 2.3.1)", at_level2_do(NULL), 0);

	still("still after MOV to CR3", reload, NULL);
	still("still after INVLPG", invalidate_page, NULL);
	still("still after an exit to the host", leave_to_host, leave_to_host);
	still("still after a write of CR4 that changes nothing", write_same_cr4, NULL);
	still("still after a change of CR4.PGE at VMPL0", NULL, change_pge);
	still("still after INVLPGB without TLBSYNC", NULL, broadcast);
	still("still after INVLPGB at VMPL2 without TLBSYNC", broadcast, NULL);
	narrow("still after INVLPGB of an address", TEST_PAGE | 0x2d);
	narrow("still after INVLPGB of a PCID", 0x2e);
	narrow("still after INVLPGB without global entries", 0x24);
	narrow("still after INVLPGB without nested translations", 0x0c);
	taken_in_between();

	ends("not after a change of CR4.PGE", change_pge, NULL);
	ends("not after the change back", change_pge, NULL);
	ends("not after a change of CR4.PSE", change_pse, NULL);
	ends("not after INVLPGB and TLBSYNC at VMPL0", NULL, broadcast_and_wait);
	ends("not after INVLPGB and TLBSYNC at VMPL2", broadcast_and_wait, NULL);
	ends("not after an update of the RMP by the host", NULL, change_side);
	own_rights();
	trap_handler = NULL;
}
