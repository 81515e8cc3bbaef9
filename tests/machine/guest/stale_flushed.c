/* SPDX-License-Identifier: MIT */
/*
 * A host that flushes by TLB_CONTROL at a VMRUN ends what is left of a right that was taken away
 * (APM volume 2, 15.16.1). This one does it at each (`--fault tlb-control`).
 */
#include "tests/machine/guest/guest.h"
#include "tests/machine/guest/translations.h"

void test_main(void)
{
	translations_start();
	check("page state change to private", page_make_private(TEST_PAGE), 0x015);
	check("  PVALIDATE", pvalidate(TEST_PAGE, 0, 1).eax, 0);
	check("  VMPL0 writes", try_store(TEST_PAGE), 0);
	check("PVALIDATE takes it away", pvalidate(TEST_PAGE, 0, 0).eax, 0);
	check("VMPL0 writes no more after the next VMRUN", try_store(TEST_PAGE), NOT_VALIDATED);
	trap_handler = NULL;
}
