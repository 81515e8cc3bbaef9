/* SPDX-License-Identifier: MIT */
/*
 * Where a host makes VMPL0 run for an interrupt of its own: between two instructions of VMPL2's, or
 * also at a VMGEXIT by which VMPL2 has asked for something else. EXITCODE in its VMSA (APM volume
 * 2, table B-4, 3C0h) is that of its last exit: 60h an interrupt of the host's, 403h VMGEXIT, so
 * that a VMGEXIT for something else cannot be told from a request to VMPL0. No specification says
 * which hosts do; Linux KVM with planes does (docs/planes.md).
 */
#include "tests/machine/guest/guest.h"

#define MSR_GHCB 0xc0010130u
#define VECTOR 31u	    /* within the table of exceptions */
#define PERIOD 1000000u	    /* 1 ms */
#define INTERRUPTED 200u    /* that VMPL2 is to be */
#define TURNS_MAX 10000000u /* of VMPL2, each with an exit: it ends by itself */
#define EXIT_NONE 0u	    /* VMPL0 ran again before VMPL2 was entered */
#define EXIT_INTR 0x60u
#define EXIT_VMGEXIT 0x403u

static volatile uint64_t taken;
static volatile bool enough, asks, wrong_answer;

static void handle(struct trap_frame *frame)
{
	uint64_t request = msr_read(MSR_GHCB); /* of the exit that it interrupts */

	(void)frame;
	taken++;
	(void)ghcb_msr_write(0x80b, 0);
	msr_write(MSR_GHCB, request);
}

/* GHCB specification, 2.3.1: SEV information, 0x002, which is answered by 0x001. */
static void exits(void)
{
	for (unsigned int i = 0; i < TURNS_MAX && !enough; i++) {
		msr_write(MSR_GHCB, 0x002);
		__asm__ volatile("rep; vmmcall" : : : "memory");
		wrong_answer |= (msr_read(MSR_GHCB) & 0xfff) != 0x001;
	}
	asks = true;
	for (;;)
		level2_return();
}

static volatile uint64_t *last_exit(void)
{
	return (volatile uint64_t *)(level2_vmsa() + 0x3c0);
}

static uint64_t run(void)
{
	uint64_t answer;

	*last_exit() = EXIT_NONE;
	__asm__ volatile("sti");
	answer = level2_run();
	__asm__ volatile("cli");
	return answer;
}

void test_main(void)
{
	unsigned int between = 0, at_exits = 0, others = 0;

	trap_handler = handle;
	check("APIC on", ghcb_msr_write(0x1b, 0xfee00d00) && ghcb_msr_write(0x80f, 0x1ff), 1);
	check("timer: divide by 1", ghcb_msr_write(0x83e, 0xb), 1);
	check("timer: periodic", ghcb_msr_write(0x832, VECTOR | 1u << 17), 1);
	level2_create(exits);
	level2_start();
	check("timer: count", ghcb_msr_write(0x838, PERIOD), 1);
	while (run() == 0x017 && !asks) {
		between += *last_exit() == EXIT_INTR;
		at_exits += *last_exit() == EXIT_VMGEXIT;
		others += *last_exit() != EXIT_INTR && *last_exit() != EXIT_VMGEXIT &&
			  *last_exit() != EXIT_NONE;
		enough = between + at_exits >= INTERRUPTED;
	}
	check("timer: off", ghcb_msr_write(0x838, 0), 1);
	/* The last interrupt may have come when VMPL2 had said so, and not asked yet. */
	while (*last_exit() == EXIT_INTR && run() == 0x017)
		;
	check("VMPL2 came to its end", asks, 1);
	check("it was interrupted often enough", between + at_exits >= INTERRUPTED, 1);
	check("between two instructions", between != 0, 1);
	check("at a VMGEXIT", at_exits != 0, AT_EXITS);
	check("and nowhere else", others, 0);
	check("each time by an interrupt", taken >= between + at_exits, 1);
	check("each VMGEXIT was answered", wrong_answer, 0);
	check("its last exit", *last_exit(), EXIT_VMGEXIT);
}
