/* SPDX-License-Identifier: MIT */
/*
 * Two levels of the guest on one vCPU, each with an APIC of its own (docs/planes.md): what comes to
 * one of them comes at that level, whichever runs, and never at the other. Both take one vector, so
 * that an interrupt at the wrong level is counted there. APM volume 2, 16.4 (timer), 16.5 (IPIs),
 * 16.6.3 (requests and service); the planes are the host's, and which of them runs is
 * docs/planes.md's: the most privileged one that can.
 */
#include "tests/attacks/guest/lower.h"

#define X2APIC_EOI 0x80bu
#define X2APIC_ICR 0x830u
#define X2APIC_LVT_TIMER 0x832u
#define X2APIC_INITIAL 0x838u
#define X2APIC_DIVIDE 0x83eu
#define DIVIDE_BY_1 0xbu
#define VECTOR 31u     /* within the table of exceptions, and has no error code */
#define SOON 30000u    /* 30 us of the timer */
#define LATER 1000000u /* a millisecond of it */
#define ROUNDS 50u
#define WINDOWS 1000u
#define LONG_AFTER 3000000ull	/* of the TSC: a millisecond, or most of it */
#define PATIENCE 40000000000ull /* of the TSC: more than any busy computer takes */

static volatile uint64_t upper_took, lower_took, wanted;
static void (*usual_handler)(struct trap_frame *frame);

static void take(struct trap_frame *frame)
{
	uint64_t ghcb_msr;

	if (frame->vector != VECTOR) {
		usual_handler(frame);
		return;
	}
	if (cpu_this() == lower_cpu())
		lower_took++;
	else
		upper_took++;
	ghcb_msr = msr_read(SNP_MSR_GHCB);
	expect("end of interrupt", ghcb_msr_write(X2APIC_EOI, 0), true);
	msr_write(SNP_MSR_GHCB, ghcb_msr);
}

static void let_in(void)
{
	for (unsigned int i = 0; i < WINDOWS; i++)
		__asm__ volatile("sti; nop; nop; cli" : : : "memory");
}

static void apic_on(void)
{
	cpu_apic_on();
	expect("divide by 1", ghcb_msr_write(X2APIC_DIVIDE, DIVIDE_BY_1), true);
	expect("timer: once", ghcb_msr_write(X2APIC_LVT_TIMER, VECTOR), true);
}

/* A host may want to hear of the GHCB page at each level that uses it (56421, section 2.3.2). */
static void lower_on(void)
{
	expect("GHCB page", ghcb_msr_call(0x012 | ghcb_gpa()), 0x013 | ghcb_gpa());
	apic_on();
}

static void arm(void)
{
	expect("timer", ghcb_msr_write(X2APIC_INITIAL, SOON), true);
}

static void send(void)
{
	expect("IPI to APIC id 0", ghcb_msr_write(X2APIC_ICR, VECTOR), true);
}

/* The second level, with interrupts on until it has had its own, as late as the host's timer is. */
static void let_wanted_in(void)
{
	uint64_t end = cpu_tsc() + PATIENCE;

	while (lower_took < wanted && cpu_tsc() < end)
		let_in();
}

static void wait_long(void)
{
	for (uint64_t end = cpu_tsc() + LONG_AFTER; cpu_tsc() < end; cpu_relax())
		;
}

static void start(void)
{
	expect("the second level starts", lower_start(page_new(), page_new()), true);
	usual_handler = trap_handler;
	trap_handler = take;
	upper_took = lower_took = 0;
	apic_on();
	lower_run(lower_on);
}

static void end(void)
{
	trap_handler = usual_handler;
	lower_end();
}

static void expect_taken(uint64_t upper, uint64_t lower)
{
	expect("interrupts at the first level", upper_took, upper);
	expect("interrupts at the second level", lower_took, lower);
}

/* The second level, with interrupts on: it goes on until the first one has had its own. */
static void spin_until_taken(void)
{
	uint64_t end = cpu_tsc() + PATIENCE;

	__asm__ volatile("sti" : : : "memory");
	while (upper_took < wanted && cpu_tsc() < end)
		cpu_relax();
	__asm__ volatile("cli" : : : "memory");
}

/*
 * The first level has interrupts on, too, for a level that could not take one is not brought back.
 * Only the host can have brought it back before the second has done its job, which does not ask for
 * it; and the second has gone on afterwards, to its end.
 */
static void upper_comes_while_lower_runs(void)
{
	unsigned int brought_back = 0;

	start();
	for (wanted = 1; wanted <= ROUNDS; wanted++) {
		__atomic_store_n(&lower_cpu()->job, spin_until_taken, __ATOMIC_SEQ_CST);
		expect("timer", ghcb_msr_write(X2APIC_INITIAL, LATER), true);
		while (__atomic_load_n(&lower_cpu()->job, __ATOMIC_SEQ_CST)) {
			__asm__ volatile("sti" : : : "memory");
			expect("the host runs it", lower_go_on(), true);
			__asm__ volatile("cli" : : : "memory");
			brought_back += lower_cpu()->job != NULL;
		}
		expect_taken(wanted, 0);
	}
	expect("it was brought back", brought_back != 0, true);
	end();
}

static void lower_waits(void (*raise)(void))
{
	start();
	for (unsigned int i = 1; i <= ROUNDS; i++) {
		lower_run(raise);
		wait_long();
		let_in();
		expect_taken(0, i - 1);
		wanted = i;
		lower_run(let_wanted_in);
		expect_taken(0, i);
	}
	lower_run(let_in);
	expect_taken(0, ROUNDS);
	end();
}

static void lower_timer_waits_while_upper_runs(void)
{
	lower_waits(arm);
}

static void lower_ipi_is_for_lower(void)
{
	lower_waits(send);
}

/* The first level's stands in its IRR, with interrupts off, while the second runs with them on. */
static void upper_ipi_is_for_upper(void)
{
	start();
	for (unsigned int i = 1; i <= ROUNDS; i++) {
		send();
		lower_run(let_in);
		expect_taken(i - 1, 0);
		let_in();
		expect_taken(i, 0);
	}
	lower_run(let_in);
	expect_taken(ROUNDS, 0);
	end();
}

/* One vector, requested in both APICs: each level has its own, and one EOI ends one. */
static void both_at_once(void)
{
	start();
	for (unsigned int i = 1; i <= ROUNDS; i++) {
		lower_run(send);
		send();
		let_in();
		expect_taken(i, i - 1);
		lower_run(let_in);
		expect_taken(i, i);
	}
	end();
}

const struct rule rules[] = {
	{ "the first level's timer comes while the second runs", "docs/planes.md",
	  upper_comes_while_lower_runs, 1 },
	{ "the second's timer waits while the first runs", "docs/planes.md",
	  lower_timer_waits_while_upper_runs, 1 },
	{ "an IPI of the second level's is its own", "APM 2, 16.5", lower_ipi_is_for_lower, 1 },
	{ "an IPI of the first level's is its own", "APM 2, 16.5", upper_ipi_is_for_upper, 1 },
	{ "the same vector in both APICs", "APM 2, 16.6.3", both_at_once, 1 },
	{ NULL, NULL, NULL, 0 },
};
