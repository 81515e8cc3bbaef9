/* SPDX-License-Identifier: MIT */
/*
 * What is taken from the doorbell page (GHCB specification 56421, 5.1): PendingEvent is one 16-bit
 * word, vector and flags, that the guest exchanges with 0.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/ghcb.h"
#include "monitor/arch/arch.h"
#include "monitor/arch/hw/timer.h"
#include "monitor/cpu/cpu.h"
#include "monitor/trap/trap.h"

#define TIMER 0x40u
#define OTHER 0x41u
#define NO_FURTHER_SIGNAL 0x8000u

static struct cpu *cpu;
static struct ghcb_doorbell doorbell;
static unsigned int ends;   /* EOIs */
static uint16_t queue[100]; /* what the host posts at each EOI */
static unsigned int queued, posted;

static void post(uint16_t word)
{
	memcpy(&doorbell, &word, sizeof(word));
}

static uint16_t word(void)
{
	uint16_t value;

	memcpy(&value, &doorbell, sizeof(value));
	return value;
}

void timer_end_of_interrupt(void)
{
	ends++;
	if (posted < queued)
		post(queue[posted++]);
}

static int set_up(void **state)
{
	(void)state;
	cpu = fake_cpu_block();
	fake_cpu_reset(cpu);
	memset(&doorbell, 0, sizeof(doorbell));
	cpu->doorbell = &doorbell;
	cpu->doorbell_set = true;
	ends = queued = posted = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(cpu);
	return 0;
}

static void nothing_is_done_for_nothing(void **state)
{
	(void)state;
	assert_false(arch_poll_events(cpu));
	assert_int_equal(ends, 0);
	assert_false(cpu->tick);
}

static void the_timer_leaves_a_mark(void **state)
{
	(void)state;
	cpu->signals = 1;
	post(TIMER | NO_FURTHER_SIGNAL);
	assert_true(arch_poll_events(cpu));
	assert_true(cpu->tick);
	assert_int_equal(cpu->signals, 0);
	assert_int_equal(word(), 0);
	assert_int_equal(ends, 1);
}

static void other_vectors_are_acknowledged(void **state)
{
	(void)state;
	cpu->signals = 1;
	post(OTHER | NO_FURTHER_SIGNAL);
	assert_true(arch_poll_events(cpu));
	assert_false(cpu->tick);
	assert_int_equal(ends, 1);
}

static void the_timer_is_found_behind_others(void **state)
{
	(void)state;
	cpu->signals = 1;
	post(OTHER | NO_FURTHER_SIGNAL);
	queue[queued++] = OTHER;
	queue[queued++] = TIMER;
	assert_true(arch_poll_events(cpu));
	assert_true(cpu->tick);
	assert_int_equal(ends, 3);
	assert_int_equal(word(), 0);
}

/* Else the host, which thinks that it has signalled, signals nothing any more. */
static void an_event_without_a_signal_is_found(void **state)
{
	(void)state;
	post(TIMER | NO_FURTHER_SIGNAL);
	assert_true(arch_poll_events(cpu));
	assert_true(cpu->tick);
	assert_int_equal(ends, 1);
	post(NO_FURTHER_SIGNAL);
	assert_false(arch_poll_events(cpu));
	assert_int_equal(word(), 0);
	assert_int_equal(ends, 1);
}

/* The host counts the vector as in service, and would deliver none of its priority again. */
static void an_erased_vector_is_ended(void **state)
{
	(void)state;
	cpu->signals = 1;
	assert_true(arch_poll_events(cpu));
	assert_int_equal(ends, 1);
	assert_false(cpu->tick);
	assert_int_equal(cpu->signals, 0);
}

/* Two signals, two vectors in service: without an end of each the lower one stays there. */
static void each_signal_is_ended(void **state)
{
	(void)state;
	cpu->signals = 3;
	post(TIMER);
	assert_true(arch_poll_events(cpu));
	assert_true(cpu->tick);
	assert_int_equal(ends, 3);
}

static void an_endless_host_is_left_alone(void **state)
{
	(void)state;
	cpu->signals = 1;
	post(OTHER);
	for (queued = 0; queued < 100; queued++)
		queue[queued] = OTHER;
	assert_true(arch_poll_events(cpu));
	assert_int_equal(ends, 64);
}

static void without_a_page_nothing_is_touched(void **state)
{
	(void)state;
	cpu->doorbell_set = false;
	cpu->doorbell = NULL;
	cpu->signals = 1;
	assert_false(arch_poll_events(cpu));
	assert_int_equal(cpu->signals, 0);
	assert_int_equal(ends, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_done_for_nothing),
		TEST(the_timer_leaves_a_mark),
		TEST(other_vectors_are_acknowledged),
		TEST(the_timer_is_found_behind_others),
		TEST(an_event_without_a_signal_is_found),
		TEST(an_erased_vector_is_ended),
		TEST(each_signal_is_ended),
		TEST(an_endless_host_is_left_alone),
		TEST(without_a_page_nothing_is_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
