/* SPDX-License-Identifier: MIT */
/*
 * A guest that nothing can wake: each vCPU halts with RFLAGS.IF clear (APM volume 3, HLT: what
 * resumes is an interrupt that is not masked, NMI, SMI, INIT or reset), the first one at VMPL2,
 * which VMPL0 has asked for and waits for. As long as one of them may be woken, by its timer, that
 * is no end.
 */
#include "tests/machine/guest/guest.h"

#define VECTOR 31u	/* within the table of exceptions */
#define TICKS 20000000u /* 20 ms */

static volatile uint64_t woken;
static volatile bool second_runs;

static void note(struct trap_frame *frame)
{
	woken = frame->vector;
}

static void halts(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void second_halts(void)
{
	second_runs = true;
	halts();
}

void test_main(void)
{
	trap_handler = note;
	check("APIC on", ghcb_msr_write(0x1b, 0xfee00d00) && ghcb_msr_write(0x80f, 0x1ff), 1);
	check("timer: divide by 1", ghcb_msr_write(0x83e, 0xb), 1);
	check("timer: once", ghcb_msr_write(0x832, VECTOR), 1);
	level2_create(halts);
	second_cpu_start(second_halts);
	/* The first is to be the last that stops; by the end of its timer the second has. */
	while (!second_runs)
		__asm__ volatile("pause");
	check("timer: count", ghcb_msr_write(0x838, TICKS), 1);
	__asm__ volatile("sti; hlt; cli");
	check("a timer ends a halt", woken, VECTOR);
	level2_start();
	(void)level2_run();
	check("VMPL0 goes on", 1, 0);
}
