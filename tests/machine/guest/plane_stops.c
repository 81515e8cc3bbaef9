/* SPDX-License-Identifier: MIT */
/*
 * A VMSA that was one when the host was told of it, and is none when its VMPL is to run: VMRUN
 * fails (APM volume 2, 15.36.12), that VMPL stops, and the vCPU goes on with the others. VMPL2 is
 * ready to run from its creation, which VMPL0's HLT lets it do; the timer ends the HLT.
 */
#include "tests/machine/guest/guest.h"

#define TIMER_VECTOR 31u /* the last one that the test's IDT has */
#define TICKS 1000000u
#define TRIES 100u

static volatile uint64_t interrupts, level2_ran;

static void note(struct trap_frame *frame)
{
	interrupts += frame->vector == TIMER_VECTOR;
	(void)ghcb_msr_write(0x80b, 0);
}

static void at_level2(void)
{
	for (;;)
		level2_ran++;
}

static void sleep_once(void)
{
	interrupts = 0;
	(void)ghcb_msr_write(0x838, TICKS);
	while (interrupts == 0)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
}

void test_main(void)
{
	check("x2APIC on", ghcb_msr_write(0x1b, 0xfee00d00) && ghcb_msr_write(0x80f, 0x1ff), 1);
	check("timer: divide by 1", ghcb_msr_write(0x83e, 0xb), 1);
	check("timer: one shot", ghcb_msr_write(0x832, TIMER_VECTOR), 1);
	trap_handler = note;
	level2_create(at_level2);
	level2_start();
	check("VMPL2's VMSA becomes shared", page_make_shared(level2_vmsa()), 0x015);
	sleep_once();
	check("VMPL0 goes on after HLT", interrupts, 1);
	check("VMPL2 did not run", level2_ran, 0);
	check("  and there is nothing to run", level2_run() != 0x017, 1);

	check("private again", page_make_private(level2_vmsa()), 0x015);
	check("PVALIDATE", pvalidate(level2_vmsa(), 0, 1).eax, 0);
	level2_start();
	/* On a slow machine the timer may come before the HLT. */
	for (unsigned int i = 0; i < TRIES && level2_ran == 0; i++)
		sleep_once();
	check("VMPL2 runs while VMPL0 is in HLT", level2_ran != 0, 1);
	trap_handler = NULL;
}
