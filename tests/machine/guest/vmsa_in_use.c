/* SPDX-License-Identifier: MIT */
/*
 * The RMP entry of a VMSA in use does not change: any RMPADJUST of it gives FAIL_INUSE = 3 (APM
 * volume 2, 15.36.12), and so it is for the VMSA that executes it. VMRUN marks the page, #VMEXIT
 * takes the mark away: a VMSA whose level waits is not in use. A judge from outside: what AMD's
 * engineers say of 15.36.12 on the KVM mailing list ("any attempt to modify").
 */
#include "tests/machine/guest/guest.h"

#define LAUNCH_VMSA 0x700000ull
#define VMSA 0x10000ull

static struct {
	uint32_t own, own_as_vmsa, rights_it_lacks, own_level;
} seen;

static volatile bool second_runs;

static void second_cpu(void)
{
	for (;;)
		second_runs = true;
}

static void at_level2(void)
{
	seen.own = rmpadjust(level2_vmsa(), 0, 3);
	seen.own_as_vmsa = rmpadjust(level2_vmsa(), 0, VMSA | 3);
	seen.rights_it_lacks = rmpadjust(level2_vmsa(), 0, 0xf03);
	seen.own_level = rmpadjust(level2_vmsa(), 0, 2);
	for (;;)
		level2_return();
}

void test_main(void)
{
	check("VMPL0's own VMSA, VMSA bit clear", rmpadjust(LAUNCH_VMSA, 0, 0x1), 3);
	check("  set", rmpadjust(LAUNCH_VMSA, 0, VMSA | 0x1), 3);
	check("  all rights for VMPL1", rmpadjust(LAUNCH_VMSA, 0, VMSA | 0xf01), 3);
	check("  its own level: FAIL_PERMISSION comes first", rmpadjust(LAUNCH_VMSA, 0, 0), 2);

	level2_create(at_level2);
	second_cpu_start(second_cpu);
	while (!second_runs)
		__asm__ volatile("pause");
	check("the VMSA of another CPU, VMSA bit clear", rmpadjust(second_cpu_vmsa(), 0, 0x1), 3);
	check("  set", rmpadjust(second_cpu_vmsa(), 0, VMSA | 0x1), 3);

	level2_start();
	check("a VMSA that never ran", rmpadjust(level2_vmsa(), 0, VMSA | 0x102), 0);
	check("run VMPL2 and come back (GHCB 2.3.1)", level2_run(), 0x017);
	check("at VMPL2, its own VMSA, VMSA bit clear", seen.own, 3);
	check("  set", seen.own_as_vmsa, 3);
	check("  rights that it lacks: FAIL_INUSE comes first", seen.rights_it_lacks, 3);
	check("  its own level: FAIL_PERMISSION comes first", seen.own_level, 2);
	check("a VMSA that waits", rmpadjust(level2_vmsa(), 0, VMSA | 0x102), 0);
	check("  is one still: run it again", level2_run(), 0x017);
}
