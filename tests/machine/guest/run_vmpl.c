/* SPDX-License-Identifier: MIT */
/*
 * The way to VMPL2 and back: run-VMPL by the MSR protocol (GHCB 2.3.1, 0x16 and 0x17), registers
 * in the VMSA meanwhile (APM volume 2, 15.36.7; offsets: appendix B), EXITCODE = VMGEXIT 0x403.
 */
#include "tests/machine/guest/guest.h"

extern char round_trip_done[];
void round_trip(void); /* in run_vmpl_asm.S */

static uint64_t field(unsigned int offset)
{
	return *(volatile uint64_t *)(level2_vmsa() + offset);
}

static void set_field(unsigned int offset, uint64_t value)
{
	*(volatile uint64_t *)(level2_vmsa() + offset) = value;
}

void test_main(void)
{
	level2_create(round_trip);
	set_field(0x1f8, 0x1111111111111111); /* RAX */
	level2_start();
	check("first run: answer of the MSR protocol", level2_run(), 0x017);
	check("EXITCODE at 0x3c0", field(0x3c0), 0x403);
	check("VMPL at 0xca", *(volatile uint8_t *)(level2_vmsa() + 0xca), 2);
	check("RBX at 0x318: the RAX it started with", field(0x318), 0x1111111111111111);
	check("R15 at 0x378", field(0x378), 0xf0f1f2f3f4f5f6f7);
	check("RBP at 0x328", field(0x328), 0x0123456789abcdef);
	check("RIP at 0x178: past VMGEXIT", field(0x178), (uint64_t)round_trip_done);
	check("CPL at 0xcb", *(volatile uint8_t *)(level2_vmsa() + 0xcb), 0);

	set_field(0x378, 0x2222222222222222);
	check("second run", level2_run(), 0x017);
	check("RBX: the R15 that VMPL0 put there", field(0x318), 0x2222222222222222);

	/* Without EFER.SVME the VMSA is not runnable: the host must refuse, and we go on. */
	set_field(0xd0, field(0xd0) & ~0x1000ull);
	check("run without EFER.SVME: refused", level2_run() != 0x017, 1);
	set_field(0xd0, field(0xd0) | 0x1000);
	check("third run", level2_run(), 0x017);
	check("RBX was counted", field(0x318), 0x2222222222222223);

	check("VMPL1, which has no vCPU: refused", ghcb_msr_call(0x016 | 1ull << 32) != 0x017, 1);
	check("RMPADJUST of a VMSA that does not run", rmpadjust(level2_vmsa(), 0, 0xf02), 0);
	check("run what is no VMSA: refused", level2_run() != 0x017, 1);
}
