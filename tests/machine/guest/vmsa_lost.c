/* SPDX-License-Identifier: MIT */
/*
 * A VMSA whose page the guest gave away is none any more: VMRUN takes no such page (APM volume 2,
 * 15.36.12), so that plane does not run again, and the others go on. Page state changes ask for no
 * VMPL (GHCB specification, 2.3.1 and 4.1.6): first VMPL0 loses VMPL2's VMSA, then VMPL2 that of
 * VMPL0, and ends the guest itself.
 */
#include "tests/machine/guest/guest.h"

#define LAUNCH_VMSA 0x700000ull
#define TERMINATE_PASSED 0xa100ull
#define TERMINATE_FAILED 0x1a100ull

static void at_level2(void)
{
	level2_return();
	/* VMPL0's VMSA is not in use while VMPL2 runs on its CPU. */
	if (page_make_shared(LAUNCH_VMSA) != 0x015 || ghcb_msr_call(0x016) == 0x017)
		(void)ghcb_msr_call(TERMINATE_FAILED);
	(void)ghcb_msr_call(TERMINATE_PASSED);
}

void test_main(void)
{
	struct snp_vmsa *vmsa = level2_create(at_level2);

	level2_start();
	check("run VMPL2", level2_run(), 0x017);
	check("its own VMSA, in use: stays (RMPUPDATE)", page_make_shared(LAUNCH_VMSA) != 0x015, 1);
	check("VMPL2's VMSA, not in use: shared", page_make_shared(level2_vmsa()), 0x015);
	check("run VMPL2: refused", level2_run() != 0x017, 1);
	check("private again, not validated", page_make_private(level2_vmsa()), 0x015);
	check("run VMPL2: refused", level2_run() != 0x017, 1);
	check("PVALIDATE", pvalidate(level2_vmsa(), 0, 1).eax, 0);
	check("run VMPL2, no VMSA page: refused", level2_run() != 0x017, 1);
	check("RMPADJUST makes it one", rmpadjust(level2_vmsa(), 0, 0x10002), 0);
	check("its bytes are what they were", vmsa->vmpl, 2);
	say("VMPL2 runs again and ends the guest");
	(void)level2_run();
	check("VMPL0 runs with a VMSA that is shared", 1, 0);
}
