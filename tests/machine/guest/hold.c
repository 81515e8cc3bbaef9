/* SPDX-License-Identifier: MIT */
/*
 * The script of races: with `--hold 3` a vCPU stops immediately before the third PVALIDATE,
 * RMPADJUST or VMGEXIT of its VMPL0, counted from where port 0xea armed it, until another vCPU lets
 * it go on. Nothing in the specifications: a host runs a vCPU when it likes.
 */
#include "tests/machine/guest/guest.h"

#define HOLD_PORT 0xeau
#define MARK 0x686f6c64ull
#define PATIENCE 400000000u

enum { NOT_ARMED, COUNTING, HELD, OVER };

static uint8_t second_ghcb[4096] __attribute__((aligned(4096)));

/* What the second CPU is to do, and what it saw. */
static volatile uint64_t wanted, done;
static volatile uint64_t page_seen, progress_seen, progress;

static volatile struct ghcb *second(void)
{
	return shared_view((uint64_t)second_ghcb);
}

static uint8_t second_port(bool in, uint8_t value)
{
	volatile struct ghcb *g = second();

	for (size_t i = 0; i < sizeof(g->valid_bitmap); i++)
		g->valid_bitmap[i] = 0;
	g->protocol_version = 2;
	g->usage = 0;
	g->rax = value;
	g->sw_exit_code = 0x7b;
	g->sw_exit_info_1 = HOLD_PORT << 16 | 1u << 4 | in;
	g->sw_exit_info_2 = 0;
	g->valid_bitmap[7] = 0x80;  /* RAX */
	g->valid_bitmap[14] = 0x1c; /* exit code and infos */
	ghcb_exit_at((uint64_t)second_ghcb);
	return (uint8_t)g->rax;
}

/* Each time that it is asked: waits until the first CPU is held, looks around, lets it go on. */
static void second_cpu(void)
{
	(void)ghcb_msr_call(0x012 | (uint64_t)second_ghcb);
	for (;;) {
		while (done == wanted || second_port(true, 0) != HELD)
			__asm__ volatile("pause");
		page_seen = *(volatile uint64_t *)private_view(TEST_PAGE);
		progress_seen = progress;
		(void)second_port(false, 2);
		done++;
	}
}

static void start_second_cpu(void)
{
	(void)pvalidate((uint64_t)second_ghcb, 0, 0);
	(void)page_make_shared((uint64_t)second_ghcb);
	second_cpu_start(second_cpu);
}

static void reset_page(void)
{
	(void)page_make_private(TEST_PAGE);
	(void)pvalidate(TEST_PAGE, 0, 1);
	*(volatile uint64_t *)private_view(TEST_PAGE) = MARK;
	progress = 0;
}

static void was_held(const char *rule)
{
	for (uint64_t i = 0; i < PATIENCE && done != wanted; i++)
		__asm__ volatile("pause");
	check(rule, done, wanted);
	check("  the step had no effect yet", page_seen, MARK);
	check("  and those before it had", progress_seen, 2);
	check("  and it is over", ghcb_in8(HOLD_PORT), OVER);
}

/* What check() writes would be steps, too: it comes when the script is over. */
static void kinds(void)
{
	uint64_t answer;
	uint8_t state;

	reset_page();
	wanted = 1;
	ghcb_out8(HOLD_PORT, 1);
	(void)pvalidate(TEST_PAGE, 0, 1);
	progress++;
	(void)rmpadjust(TEST_PAGE, 0, 0xf02);
	progress++;
	answer = page_make_shared(TEST_PAGE);
	was_held("the third step, VMGEXIT, was held");
	check("  and done in the end", answer, 0x015);

	reset_page();
	wanted = 2;
	ghcb_out8(HOLD_PORT, 1);
	state = ghcb_in8(HOLD_PORT);
	progress++;
	(void)pvalidate(TEST_PAGE, 0, 1);
	progress++;
	answer = pvalidate(TEST_PAGE, 0, 0).carry;
	was_held("the third step, PVALIDATE, was held");
	check("  and done in the end", answer, 0);
	check("  a look at the port counted, as a VMGEXIT", state, COUNTING);
}

static volatile uint8_t state_at_level2;

static void at_level2(void)
{
	(void)ghcb_msr_call(0x012 | ghcb_gpa());
	ghcb_out8(HOLD_PORT, 1);
	level2_return();
	ghcb_out8(HOLD_PORT, 1);
	level2_return();
	state_at_level2 = ghcb_in8(HOLD_PORT);
	for (;;)
		level2_return();
}

/* Armed at VMPL2: what counts is what VMPL0 does when it is called. */
static void levels(void)
{
	uint64_t answer;
	uint8_t state;

	level2_start();
	reset_page();
	wanted = 3;
	(void)level2_run();
	(void)rmpadjust(TEST_PAGE, 0, 0x102);
	progress++;
	state = ghcb_in8(HOLD_PORT);
	progress++;
	answer = rmpadjust(TEST_PAGE, 0, 0xf02);
	was_held("the third step of VMPL0, RMPADJUST, was held");
	check("  and done in the end", answer, 0);
	check("  the exits of VMPL2 were no steps", state, COUNTING);

	(void)level2_run();
	state = ghcb_in8(HOLD_PORT);
	(void)level2_run();
	check("VMPL2 armed it again", state, COUNTING);
	check("  and was back before the third step: over", state_at_level2, OVER);
}

static void nobody_releases(void)
{
	uint8_t state;

	ghcb_out8(HOLD_PORT, 1);
	(void)ghcb_in8(HOLD_PORT);
	(void)ghcb_in8(HOLD_PORT);
	state = ghcb_in8(HOLD_PORT);
	check("nobody lets it go on: it does, and it is over", state, OVER);
}

void test_main(void)
{
	check("not armed", ghcb_in8(HOLD_PORT), NOT_ARMED);
	ghcb_out8(HOLD_PORT, 2);
	check("nothing to release", ghcb_in8(HOLD_PORT), NOT_ARMED);
	level2_create(at_level2);
	start_second_cpu();
	kinds();
	levels();
	nobody_releases();
}
