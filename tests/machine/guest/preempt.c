/* SPDX-License-Identifier: MIT */
/*
 * Whether an interrupt of VMPL0 makes it run while VMPL2 of its vCPU runs is the host's choice
 * (`--preempt`); no specification says that it does. Linux KVM with planes does it: its plane 0
 * runs whenever it has an event. VMPL0 is told by EXITCODE in VMPL2's VMSA (APM volume 2, table
 * B-4, 3C0h): 60h an interrupt of the host's, 403h VMGEXIT. Either way the interrupt is not lost.
 */
#include "tests/machine/guest/guest.h"

#define VECTOR 31u	       /* within the table of exceptions */
#define TICKS 80000000u	       /* 80 ms: a busy computer gets to VMPL2 in time */
#define PATIENCE 1600000000ull /* of the TSC: more than that at any rate */

static volatile uint64_t taken;
static volatile bool is_over; /* VMPL2 has waited for all of it */

static void handle(struct trap_frame *frame)
{
	/* It interrupts exits of VMPL0's own, so it makes none: one interrupt is all that comes. */
	(void)frame;
	taken++;
}

static void waits(void)
{
	struct patience p = patience_of(PATIENCE);

	while (patience_lasts(&p))
		;
	is_over = true;
	for (;;)
		level2_return();
}

void test_main(void)
{
	struct patience p;
	uint64_t set, answer;

	trap_handler = handle;
	check("APIC on", ghcb_msr_write(0x1b, 0xfee00d00) && ghcb_msr_write(0x80f, 0x1ff), 1);
	check("timer: divide by 1", ghcb_msr_write(0x83e, 0xb), 1);
	check("timer: once", ghcb_msr_write(0x832, VECTOR), 1);
	level2_create(waits);
	level2_start();
	__asm__ volatile("sti");
	/* Nothing in between: the timer is for VMPL2. */
	set = ghcb_msr_write(0x838, TICKS);
	answer = level2_run();
	check("timer: count", set, 1);
	check("VMPL2 ran", answer, 0x017);
	check("its last exit", *(volatile uint64_t *)(level2_vmsa() + 0x3c0), LAST_EXIT);
	check("it was over", is_over, LAST_EXIT == 0x403);
	p = patience_of(PATIENCE);
	while (taken == 0 && patience_lasts(&p))
		;
	check("VMPL0's interrupt came", taken, 1);
	check("VMPL2 runs on", level2_run(), 0x017);
	check("  to its end", is_over, 1);
}
