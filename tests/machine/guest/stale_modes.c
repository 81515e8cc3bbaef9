/* SPDX-License-Identifier: MIT */
/*
 * A change of CR0.PG or CR4.PAE flushes the TLB (APM volume 2, 5.5.3), and ends a right that was
 * taken away (stale.c). stale_modes_asm.S leaves long mode and paging for that.
 */
#include "tests/machine/guest/guest.h"
#include "tests/machine/guest/translations.h"

/* What the steps without paging raised, in their order; the results of PVALIDATE are added up. */
extern volatile uint32_t modes_raised[6], modes_pvalidate;
void modes_run(uint32_t page); /* in stale_modes_asm.S */

void test_main(void)
{
	translations_start();
	check("page state change to private", page_make_private(TEST_PAGE), 0x015);
	check("  PVALIDATE", pvalidate(TEST_PAGE, 0, 1).eax, 0);
	check("  VMPL0 writes", try_store(TEST_PAGE), 0);
	check("PVALIDATE takes it away", pvalidate(TEST_PAGE, 0, 0).eax, 0);
	check("VMPL0 writes", try_store(TEST_PAGE), 0);
	modes_run(TEST_PAGE);
	check("not when CR0.PG was cleared", modes_raised[0], NOT_VALIDATED);
	check("PVALIDATEs without paging", modes_pvalidate, 0);
	check("VMPL0 writes after one took the page away", modes_raised[1], 0);
	check("  not when CR4.PAE was cleared", modes_raised[2], NOT_VALIDATED);
	check("VMPL0 writes after another did", modes_raised[3], 0);
	check("  not when CR4.PAE was set", modes_raised[4], NOT_VALIDATED);
	check("VMPL0 writes after another did", modes_raised[5], 0);
	check("  not when CR0.PG was set", try_store(TEST_PAGE), NOT_VALIDATED);
	trap_handler = NULL;
}
