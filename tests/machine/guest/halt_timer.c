/* SPDX-License-Identifier: MIT */
/*
 * HLT ends at an interrupt (APM volume 3, HLT), whenever the interrupt comes: also when the timer
 * runs out while the host goes over to VMPL2, which is ready to run, and when it is VMPL2 that has
 * halted and VMPL0 was woken meanwhile.
 */
#include "tests/machine/guest/guest.h"

#define TIMER_VECTOR 31u /* the last one that the test's IDT has */
#define LEVEL2_VECTOR 27u
#define SHORTEST 20000u /* of the timer, which counts nanoseconds here: less than HLT is away */
#define STEP 1000u
#define STEPS 500u
#define EARLIER 40000000u /* time enough for VMPL2 to halt */
#define LATER 120000000u
#define PATIENCE 8000000000ull /* of the TSC, seconds */

static volatile uint64_t interrupts, round, level2_interrupts;
static volatile bool gave_up;
static bool answers; /* the handler ends each interrupt */

static void note(struct trap_frame *frame)
{
	interrupts += frame->vector == TIMER_VECTOR;
	level2_interrupts += frame->vector == LEVEL2_VECTOR;
	if (answers)
		(void)ghcb_msr_write(0x80b, 0);
}

static bool start_apic(uint64_t vector)
{
	return ghcb_msr_write(0x1b, 0xfee00d00) && ghcb_msr_write(0x80f, 0x1ff) &&
	       ghcb_msr_write(0x83e, 0xb) && ghcb_msr_write(0x832, vector);
}

static void halt(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

/* Runs while VMPL0 has halted, and gives up when that does not end. */
static void waits_for_level0(void)
{
	for (;;) {
		uint64_t before = round;
		struct patience p = patience_of(PATIENCE);

		while (round == before && patience_lasts(&p))
			;
		if (round != before)
			continue;
		gave_up = true;
		level2_return();
	}
}

/*
 * The interrupt waits for the STI that is the first instruction behind an exit. Before HLT is
 * through it must not come (APM volume 2, 15.21.5): nothing else would end that HLT.
 */
static bool halt_behind_exit(void)
{
	uint64_t before = interrupts;

	answers = true;
	(void)ghcb_msr_write(0x838, 1);
	msr_write(SNP_MSR_GHCB, 2);
	__asm__ volatile("rep; vmmcall; sti; hlt; cli" : : : "memory");
	round++;
	return interrupts == before + 1 && !gave_up;
}

/* How many of the timers ended HLT. */
static uint64_t halt_with_each(void)
{
	answers = true;
	for (unsigned int i = 0; i < STEPS; i++) {
		uint64_t before = interrupts;

		(void)ghcb_msr_write(0x838, SHORTEST + i * STEP);
		halt();
		if (interrupts == before || gave_up)
			return i;
		round++;
	}
	return STEPS;
}

/* One GHCB for both levels: VMPL0 uses it when VMPL2 is through with it. */
static void halts(void)
{
	(void)ghcb_msr_call(0x012 | ghcb_gpa());
	if (start_apic(LEVEL2_VECTOR) && ghcb_msr_write(0x838, LATER))
		halt();
	for (;;)
		level2_return();
}

void test_main(void)
{
	struct patience p;

	trap_handler = note;
	check("VMPL0: APIC and timer", start_apic(TIMER_VECTOR), 1);
	level2_create(waits_for_level0);
	level2_start();
	check("an STI right behind an exit has its shadow", halt_behind_exit(), 1);
	check("a timer ends HLT whenever it runs out", halt_with_each(), STEPS);

	level2_create(halts);
	level2_start();
	answers = false;
	interrupts = 0;
	check("VMPL0: timer", ghcb_msr_write(0x838, EARLIER), 1);
	/* Only who takes interrupts is called back by one. */
	__asm__ volatile("sti");
	(void)level2_run();
	__asm__ volatile("cli");
	p = patience_of(PATIENCE);
	while (level2_interrupts == 0 && patience_lasts(&p))
		halt();
	check("VMPL0's timer came while VMPL2 ran", interrupts, 1);
	check("VMPL2's own ends its HLT while VMPL0 is in HLT", level2_interrupts, 1);
	trap_handler = NULL;
}
