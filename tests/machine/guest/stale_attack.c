/* SPDX-License-Identifier: MIT */
/*
 * The attack that a forgotten flush allows, from end to end: VMPL2 has a page in a translation,
 * VMPL0 takes the page and makes it VMPL2's next VMSA, VMPL2 writes VMPL 0 into it (offset 0xca,
 * APM volume 2, table B-4), and what the host starts then has VMPL0's rights: PVALIDATE raises
 * nothing (volume 3). With INVLPGB and TLBSYNC in between the write does not come back (15.36.10):
 * the run ends so.
 */
#include "tests/machine/guest/guest.h"
#include "tests/machine/guest/translations.h"
#include "tests/machine/guest/vmsa.h"

#define VMPL_OFFSET 0xca

static uint8_t stack[4096] __attribute__((aligned(16)));

static volatile struct {
	uint64_t vector;
	uint32_t to_level1;
} seen;

static void note_and_skip(struct trap_frame *frame)
{
	seen.vector = frame->vector;
	frame->rip += 4; /* PVALIDATE */
}

/* VMPL2: reads the page, then writes into what has become of it. */
static void attacker(void)
{
	(void)*(volatile uint8_t *)(TEST_PAGE + VMPL_OFFSET);
	level2_return();
	for (;;) {
		*(volatile uint8_t *)(TEST_PAGE + VMPL_OFFSET) = 0;
		level2_return();
	}
}

/* What runs by the VMSA that was written. */
static void winner(void)
{
	trap_handler = note_and_skip;
	(void)pvalidate(TEST_PAGE + 0x1000, 0, 1);
	trap_handler = NULL;
	seen.to_level1 = rmpadjust(TEST_PAGE + 0x1000, 0, 0xf01);
	for (;;)
		level2_return();
}

/* The page is VMPL2's, and VMPL2 uses it; then it is VMPL2's next VMSA. */
static void make_vmsa(void)
{
	check("RMPADJUST gives the page to VMPL2", rmpadjust(TEST_PAGE, 0, 0xf02), 0);
	check("  VMPL2 uses it", level2_run(), 0x017);
	check("RMPADJUST takes it from VMPL2", rmpadjust(TEST_PAGE, 0, 0x002), 0);
	vmsa_fill((struct snp_vmsa *)TEST_PAGE, 2, winner, stack + sizeof(stack));
	check("  and makes it a VMSA", rmpadjust(TEST_PAGE, 0, 0x10001), 0);
}

void test_main(void)
{
	const volatile uint8_t *vmpl = (const volatile uint8_t *)(TEST_PAGE + VMPL_OFFSET);

	for (uint64_t page = TEST_PAGE; page < TEST_PAGE + 0x2000; page += 0x1000) {
		check("page state change to private", page_make_private(page), 0x015);
		check("  PVALIDATE", pvalidate(page, 0, 1).eax, 0);
	}
	level2_create(attacker);
	level2_start();
	make_vmsa();
	check("  of VMPL 2", *vmpl, 2);
	check("VMPL2 writes into it", level2_run(), 0x017);
	check("  it is one of VMPL 0 now", *vmpl, 0);
	check("the host starts it where VMPL2 was", vmsa_start(0, 2, TEST_PAGE), 0);
	check("  and runs it", level2_run(), 0x017);
	check("  it may PVALIDATE", seen.vector, 0);
	check("  and RMPADJUST for VMPL1", seen.to_level1, 0);

	check("the host starts the old VMSA again", vmsa_start(0, 2, level2_vmsa()), 0);
	check("RMPADJUST takes the page out of use", rmpadjust(TEST_PAGE, 0, 0x001), 0);
	make_vmsa();
	invlpgb(WHOLE_VM, 0, 0);
	tlbsync();
	check("  of VMPL 2", *vmpl, 2);
	say("VMPL2 writes after INVLPGB and TLBSYNC");
	(void)level2_run();
	check("VMPL2 does not come back from its write", 0, 1);
}
