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
#include "monitor/cpu/wait.h"
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

/* What a vCPU that sleeps does: T arms the timer, s stops it, h halts, where the host posts. */
static struct {
	char steps[64];
	uint64_t now, period;
	uint64_t goes_by; /* in a halt, by the clock */
	bool locked, refuses;
	uint16_t posts[8];
	unsigned int halts;
} sleeper;

static void step(char what)
{
	size_t length = strlen(sleeper.steps);

	assert_true(length + 1 < sizeof(sleeper.steps));
	sleeper.steps[length] = what;
}

_Noreturn void die(enum die_reason reason, const char *why)
{
	(void)reason;
	mock_assert(0, why, __FILE__, __LINE__);
	abort();
}

bool lock_any_held(void)
{
	return sleeper.locked;
}

uint64_t arch_now_ns(void)
{
	return sleeper.now;
}

void arch_timer_arm(struct cpu *which, uint64_t deadline_ns, uint64_t period_ns)
{
	assert_ptr_equal(which, cpu);
	assert_int_equal(deadline_ns, sleeper.now + period_ns);
	step('T');
	sleeper.period = period_ns;
	which->timer_deadline = sleeper.refuses ? 0 : deadline_ns;
}

void arch_timer_stop(struct cpu *which)
{
	assert_ptr_equal(which, cpu);
	step('s');
	which->timer_deadline = 0;
	which->tick = false;
}

void wait_halt(struct cpu *which)
{
	assert_ptr_equal(which, cpu);
	assert_true(sleeper.halts < 8);
	step('h');
	sleeper.now += sleeper.goes_by;
	if (sleeper.posts[sleeper.halts]) {
		which->signals++;
		post(sleeper.posts[sleeper.halts]);
	}
	sleeper.halts++;
}

static int set_up(void **state)
{
	(void)state;
	memset(&sleeper, 0, sizeof(sleeper));
	sleeper.now = 1000;
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

static void it_sleeps_until_its_time(void **state)
{
	(void)state;
	sleeper.goes_by = 400;
	sleeper.posts[0] = OTHER;
	assert_true(arch_sleep(1000));
	assert_string_equal(sleeper.steps, "Thhhs");
	assert_int_equal(sleeper.period, 1000);
	assert_int_equal(ends, 1);
}

/* The clock is the host's: where it stands still the timer's word is enough, said twice. */
static void the_timer_ends_a_sleep(void **state)
{
	(void)state;
	cpu->tick = true;
	sleeper.posts[0] = OTHER;
	sleeper.posts[1] = TIMER | NO_FURTHER_SIGNAL;
	sleeper.posts[2] = OTHER;
	sleeper.posts[3] = TIMER | NO_FURTHER_SIGNAL;
	assert_true(arch_sleep(1000));
	assert_string_equal(sleeper.steps, "Thhhhs");
	/* It is nobody's any more, who would take it for an own one (host_ports.c). */
	assert_int_equal(cpu->timer_deadline, 0);
	assert_false(cpu->tick);
}

/* One of an earlier timer, before or after it is armed; or one that the guest wrote. */
static void an_old_vector_ends_no_sleep(void **state)
{
	(void)state;
	post(TIMER);
	queue[queued++] = TIMER;
	queue[queued++] = TIMER;
	sleeper.posts[0] = TIMER;
	sleeper.posts[1] = TIMER;
	assert_true(arch_sleep(1000));
	assert_string_equal(sleeper.steps, "Thhs");
	assert_int_equal(ends, 5);
}

/* By the clock, while it runs at all, whatever comes. */
static void vectors_of_the_timer_end_no_sleep_while_the_clock_runs(void **state)
{
	(void)state;
	post(TIMER);
	for (unsigned int i = 0; i < 5; i++)
		sleeper.posts[i] = TIMER;
	sleeper.goes_by = 200;
	assert_true(arch_sleep(1000));
	assert_string_equal(sleeper.steps, "Thhhhhs");
}

static void who_holds_a_lock_or_has_no_timer_does_not_sleep(void **state)
{
	(void)state;
	sleeper.locked = true;
	assert_false(arch_sleep(1000));
	assert_string_equal(sleeper.steps, "");
	sleeper.locked = false;
	sleeper.refuses = true;
	assert_false(arch_sleep(1000));
	assert_string_equal(sleeper.steps, "T");
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
		TEST(it_sleeps_until_its_time),
		TEST(the_timer_ends_a_sleep),
		TEST(an_old_vector_ends_no_sleep),
		TEST(vectors_of_the_timer_end_no_sleep_while_the_clock_runs),
		TEST(who_holds_a_lock_or_has_no_timer_does_not_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
