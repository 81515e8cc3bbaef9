/* SPDX-License-Identifier: MIT */
/*
 * AP creation (GHCB specification, "SNP AP Creation"): on INIT, at once, destruction, at any level.
 * The host sees an address and features; what is in the VMSA only VMRUN looks at (APM volume 2,
 * 15.36.7), so a VMSA may be finished, or its EFER.SVME set (15.5.1), after it was given to the
 * host. The GHCB MSR is in the VMCB and not in the VMSA (table B-1, offset 0a0h), so that another
 * VMSA finds what the last one left there.
 */
#include "tests/machine/guest/guest.h"
#include "tests/machine/guest/vmsa.h"

#define CREATE_ON_INIT 0u
#define CREATE 1u
#define DESTROY 2u
#define LEVEL1_VMSA (TEST_PAGE + 0x1000)
#define ERROR 2u

static uint8_t level1_stack[4096] __attribute__((aligned(16)));

static volatile uint64_t level1_runs, level2_runs, level2_msr;

static void at_level1(void)
{
	for (;;) {
		level1_runs++;
		level2_return(); /* asks for VMPL0 by the MSR protocol, whoever calls it */
	}
}

static void at_level2(void)
{
	level2_msr = msr_read(0xc0010130);
	for (;;) {
		level2_runs++;
		level2_return();
	}
}

static uint64_t creation(uint64_t request, uint64_t vmpl, uint64_t vmsa, uint64_t features)
{
	ghcb->rax = features;
	ghcb_set_valid(0x1f8);
	return ghcb_exit(0x80000013, vmpl << 16 | request, vmsa).result;
}

static void level2(void)
{
	struct snp_vmsa *vmsa = level2_create(at_level2);

	vmsa->efer &= ~0x1000ull;
	check("RMPADJUST makes the VMSA page one", rmpadjust(level2_vmsa(), 0, 0x10002), 0);
	check("creation on INIT, of a VMSA without EFER.SVME",
	      creation(CREATE_ON_INIT, 2, level2_vmsa(), 1), 0);
	check("  run VMPL2: VMRUN would refuse it", level2_run() != 0x017, 1);
	vmsa->efer |= 0x1000;
	check("  with EFER.SVME it runs, without an INIT", level2_run(), 0x017);
	check("  once", level2_runs, 1);
	check("  its GHCB MSR is of the reset", level2_msr & 0xfff, 0x001);

	check("creation with another VMSA of the same state", creation(CREATE, 2, level2_vmsa(), 1),
	      0);
	vmsa_fill(vmsa, 2, at_level2, (uint8_t *)level1_stack + sizeof(level1_stack));
	check("  it runs", level2_run(), 0x017);
	check("  the GHCB MSR is what VMPL2 left: the answer to run VMPL", level2_msr, 0x017);

	check("destruction", creation(DESTROY, 2, 0, 1), 0);
	check("  run VMPL2: there is none", level2_run() != 0x017, 1);
	check("  destruction of none", creation(DESTROY, 2, 0, 1), 0);
}

static void level1(void)
{
	struct snp_vmsa *vmsa = (struct snp_vmsa *)LEVEL1_VMSA;

	for (uint64_t at = (uint64_t)image_start; at < (uint64_t)image_end; at += 4096) {
		if (at != ghcb_gpa() && at != level2_vmsa())
			(void)rmpadjust(at, 0, 0xf01);
	}
	(void)pvalidate(LEVEL1_VMSA, 0, 1);
	vmsa_fill(vmsa, 1, at_level1, (uint8_t *)level1_stack + sizeof(level1_stack));
	check("creation at VMPL1 of what is no VMSA yet",
	      creation(CREATE_ON_INIT, 1, LEVEL1_VMSA, 1), 0);
	check("  run VMPL1: refused", ghcb_msr_call(0x016 | 1ull << 32) != 0x017, 1);
	check("  RMPADJUST makes it one", rmpadjust(LEVEL1_VMSA, 0, 0x10001), 0);
	check("  run VMPL1", ghcb_msr_call(0x016 | 1ull << 32), 0x017);
	check("  once", level1_runs, 1);
}

static void bad_input(void)
{
	check("no features: an error", creation(CREATE, 2, level2_vmsa(), 0), ERROR);
	check("features that no VMSA may have: an error", creation(CREATE, 2, level2_vmsa(), 3),
	      ERROR);
	check("an address that is not of a page: an error",
	      creation(CREATE, 2, level2_vmsa() + 8, 1), ERROR);
	check("an address behind all RAM: an error", creation(CREATE, 2, 1ull << 40, 1), ERROR);
	check("VMPL 4: an error", creation(CREATE, 4, level2_vmsa(), 1), ERROR);
	check("request 3: an error", creation(3, 2, level2_vmsa(), 1), ERROR);
	check("APIC id 9: an error", creation(9ull << 32 | CREATE, 2, level2_vmsa(), 1), ERROR);
	check("the plane that asks: an error", creation(CREATE, 0, level2_vmsa(), 1), ERROR);
}

void test_main(void)
{
	level2();
	level1();
	bad_input();
}
