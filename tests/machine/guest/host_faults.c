/* SPDX-License-Identifier: MIT */
/*
 * A host with a plan of faults (`--fault`) does what the plan says at the occasion that it says,
 * and nothing else. Nothing in the specifications: a host may do all of this. The runner's plan:
 * timer events of VMPL0: the second is lost, the third late, the fourth repeated; of what VMPL0
 * asks for, the first AP creation and the second run-VMPL refused.
 */
#include "tests/machine/guest/guest.h"

#define TIMER_VECTOR 0x41u
#define TICKS_20MS 20000000u
#define TICKS_1MS 1000000u
#define PATIENCE 20000000u
#define EXITS 1000u

static uint8_t doorbell_page[4096] __attribute__((aligned(4096)));
static volatile uint64_t events;

static void take(struct trap_frame *frame)
{
	volatile uint16_t *pending = shared_view((uint64_t)doorbell_page);
	uint16_t event = __atomic_exchange_n(pending, 0, __ATOMIC_SEQ_CST);

	if (frame->vector == 28 && (event & 0xff) == TIMER_VECTOR)
		events++;
}

static uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static uint64_t timer_left(void)
{
	uint64_t left = 0;

	(void)ghcb_msr_read(0x839, &left);
	return left;
}

/* Never more than there are, however the machine is delayed: its ends are inside the others. */
static uint64_t clocks_in_20ms(void)
{
	uint64_t left, start;

	(void)ghcb_msr_write(0x832, 1u << 16 | TIMER_VECTOR); /* masked */
	(void)ghcb_msr_write(0x838, 0xffffffff);
	left = timer_left();
	start = rdtsc();
	for (;;) {
		uint64_t end = rdtsc(), ticks = left - timer_left();

		if (ticks > TICKS_20MS)
			return (end - start) * TICKS_20MS / ticks;
	}
}

static void start_timer(void)
{
	events = 0;
	(void)ghcb_msr_write(0x832, TIMER_VECTOR);
	(void)ghcb_msr_write(0x838, TICKS_1MS);
}

/* With patience and exits that give the host an occasion to deliver what it has. */
static uint64_t wait_for_events(uint64_t count)
{
	uint64_t came;

	for (uint64_t i = 0; i < PATIENCE && events < count; i++)
		__asm__ volatile("pause");
	for (unsigned int i = 0; i < EXITS && events < count; i++)
		(void)timer_left();
	came = events;
	(void)ghcb_msr_write(0x80b, 0); /* end of interrupt: the next one may come */
	return came;
}

/* Waits for the time to be over, and then some: what has not come by now does not come. */
static uint64_t events_after_run_out(void)
{
	while (timer_left() != 0)
		__asm__ volatile("pause");
	for (unsigned int i = 0; i < EXITS; i++)
		(void)timer_left();
	return events;
}

static void timers(void)
{
	uint64_t gpa = (uint64_t)doorbell_page, clocks, start;

	(void)pvalidate(gpa, 0, 0);
	(void)page_make_shared(gpa);
	for (size_t i = 0; i < 4096; i++)
		((volatile uint8_t *)shared_view(gpa))[i] = 0;
	check("set the doorbell page", ghcb_exit(0x80000014, 1, gpa).result, 0);
	check("APIC on, divide by 1", ghcb_msr_write(0x80f, 0x1ff) && ghcb_msr_write(0x83e, 0xb),
	      1);
	trap_handler = take;
	clocks = clocks_in_20ms();
	start_timer();
	check("the first timer event comes", wait_for_events(1), 1);
	start_timer();
	check("the second is lost", events_after_run_out(), 0);
	start_timer();
	start = rdtsc();
	check("the third comes", wait_for_events(1), 1);
	check("  but 20 ms late", rdtsc() - start > clocks, 1);
	start_timer();
	check("the fourth comes", wait_for_events(1), 1);
	check("  and once more", wait_for_events(2), 2);
	start_timer();
	check("the fifth comes", wait_for_events(1), 1);
	check("  and no more", events_after_run_out(), 1);
	trap_handler = NULL;
}

static uint32_t create_level2(void)
{
	ghcb->rax = 1; /* SEV_FEATURES */
	ghcb_set_valid(0x1f8);
	return ghcb_exit(0x80000013, 2ull << 16 | 1, level2_vmsa()).result;
}

static void at_level2(void)
{
	for (;;)
		level2_return();
}

static void level2(void)
{
	level2_create(at_level2);
	check("RMPADJUST makes the VMSA page one", rmpadjust(level2_vmsa(), 0, 0x10002), 0);
	check("the first AP creation is refused", create_level2(), 2);
	check("the second is not", create_level2(), 0);
	check("the first run-VMPL of VMPL0", level2_run(), 0x017);
	check("the second is refused", level2_run() != 0x017, 1);
	check("the third is not", level2_run(), 0x017);
}

void test_main(void)
{
	level2();
	timers();
}
