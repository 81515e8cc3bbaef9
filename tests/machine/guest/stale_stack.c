/* SPDX-License-Identifier: MIT */
/*
 * What the CPU does by itself uses the same translations as the guest's instructions: #VC pushes
 * its frame to a stack in a page that was taken away (stale.c), and after a change of CR4.PGE that
 * is a nested page fault of the push (APM volume 2, 15.36.10): the run ends so.
 */
#include "tests/machine/guest/guest.h"
#include "tests/machine/guest/translations.h"

static volatile uint64_t raised;

static void note_and_skip(struct trap_frame *frame)
{
	raised = frame->vector << 16 | frame->error;
	frame->rip += 2; /* CPUID */
}

static void cpuid_on_stack(uint64_t stack)
{
	__asm__ volatile("mov %%rsp, %%r12\n\t"
			 "mov %0, %%rsp\n\t"
			 "cpuid\n\t"
			 "mov %%r12, %%rsp"
			 :
			 : "r"(stack)
			 : "rax", "rbx", "rcx", "rdx", "r12", "memory");
}

static void at_level2(void)
{
	for (unsigned int run = 1;; run++) {
		if (run == 3)
			change_cr4(CR4_PGE);
		raised = 0;
		cpuid_on_stack(TEST_PAGE + 0x1000);
		level2_return();
	}
}

void test_main(void)
{
	check("page state change to private", page_make_private(TEST_PAGE), 0x015);
	check("  PVALIDATE", pvalidate(TEST_PAGE, 0, 1).eax, 0);
	check("  RMPADJUST gives it to VMPL2", rmpadjust(TEST_PAGE, 0, 0xf02), 0);
	trap_handler = note_and_skip;
	level2_create(at_level2);
	level2_start();
	check("run VMPL2 and come back (GHCB 2.3.1)", level2_run(), 0x017);
	check("  it had #VC", raised, 0x1d0072);
	check("RMPADJUST takes the page from VMPL2", rmpadjust(TEST_PAGE, 0, 0x002), 0);
	check("run VMPL2", level2_run(), 0x017);
	check("  it had #VC on that page", raised, 0x1d0072);
	say("VMPL2 has #VC after a change of CR4.PGE");
	(void)level2_run();
	check("VMPL2 does not come back from its #VC", 0, 1);
}
