/* SPDX-License-Identifier: MIT */
/*
 * The attack: VMPL2 writes, through a translation that it still has, to a page that RMPADJUST has
 * taken from it and made a VMSA. After INVLPGB and TLBSYNC its write is a nested page fault (APM
 * volume 2, 15.36.10): the run ends so. Otherwise as in stale.c.
 */
#include "tests/machine/guest/guest.h"
#include "tests/machine/guest/translations.h"

static void at_level2(void)
{
	for (;;) {
		(void)try_store(TEST_PAGE);
		level2_return();
	}
}

void test_main(void)
{
	volatile uint64_t *word = (volatile uint64_t *)TEST_PAGE;

	check("page state change to private", page_make_private(TEST_PAGE), 0x015);
	check("  PVALIDATE", pvalidate(TEST_PAGE, 0, 1).eax, 0);
	check("  RMPADJUST gives it to VMPL2", rmpadjust(TEST_PAGE, 0, 0xf02), 0);
	level2_create(at_level2);
	level2_start();
	check("run VMPL2 and come back (GHCB 2.3.1)", level2_run(), 0x017);
	check("  it wrote", *word, TEST_PAGE);
	check("RMPADJUST takes the page from VMPL2", rmpadjust(TEST_PAGE, 0, 0x002), 0);
	check("  and makes it a VMSA", rmpadjust(TEST_PAGE, 0, 0x10001), 0);
	*word = 0;
	check("run VMPL2", level2_run(), 0x017);
	check("  it wrote into the VMSA", *word, TEST_PAGE);
	change_cr4(CR4_PGE);
	reload_cr3();
	*word = 0;
	check("run VMPL2 after a flush of VMPL0's own", level2_run(), 0x017);
	check("  it wrote into the VMSA", *word, TEST_PAGE);
	invlpgb(WHOLE_VM, 0, 0);
	tlbsync();
	say("VMPL2 writes after INVLPGB and TLBSYNC");
	(void)level2_run();
	check("VMPL2 does not come back from its write", 0, 1);
}
