/* SPDX-License-Identifier: MIT */
/*
 * The timer of VMPL0 and the monitor's clock. Registers of the x2APIC: APM volume 2, 16.11 and
 * table 16-6 (LVT timer 832h: periodic is bit 17; initial count 838h; EOI 80Bh).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/arch.h"
#include "monitor/arch/hw/timer.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/ghcb/ghcb.h"

#define LVT 0x832u
#define INITIAL 0x838u
#define CURRENT 0x839u
#define EOI 0x80bu
#define MS 1000000ull
#define TSC_STEP 150000u /* 300000 from look to look */

static struct cpu *cpu;

static struct {
	uint32_t msr[16];
	uint64_t value[16];
	unsigned int writes;
	uint32_t refuses; /* this MSR */
	uint32_t tsc_khz, apic_khz;
	uint32_t count;
	uint32_t step; /* how far the timer counts between two looks */
	uint32_t looks;
	uint64_t apic_base; /* MSR 1Bh */
	uint32_t unread;    /* this MSR cannot be read */
} host;

bool ghcb_msr_write(uint32_t msr, uint64_t value)
{
	if (msr == host.refuses)
		return false;
	host.msr[host.writes % 16] = msr;
	host.value[host.writes++ % 16] = value;
	return true;
}

/* A timer that counts 100000 between two looks, in which the TSC is read twice. */
bool ghcb_msr_read(uint32_t msr, uint64_t *value)
{
	if (msr == host.unread)
		return false;
	host.looks += msr == CURRENT;
	*value = msr == CURRENT ? host.count -= host.step : host.apic_base;
	return true;
}

struct cpuid_result cpuid_query(uint32_t leaf, uint32_t subleaf)
{
	(void)subleaf;
	if (leaf != 0x40000010)
		return (struct cpuid_result){ 0 };
	return (struct cpuid_result){ .eax = host.tsc_khz, .ebx = host.apic_khz };
}

/* TSC of 2 GHz, timer of 1 GHz. */
static int set_up(void **state)
{
	(void)state;
	cpu = fake_cpu_block();
	fake_cpu_reset(cpu);
	memset(&host, 0, sizeof(host));
	host.tsc_khz = 2000000;
	host.apic_khz = 1000000;
	host.count = UINT32_MAX;
	host.step = 100000;
	fake_cpu.tsc = 1000000;
	fake_cpu.tsc_step = TSC_STEP;
	assert_true(arch_clock_init());
	fake_cpu.tsc_step = 0;
	host.writes = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(cpu);
	return 0;
}

static void it_fires_again_and_again(void **state)
{
	(void)state;
	arch_timer_arm(cpu, 77, 10 * MS);
	assert_int_equal(host.writes, 2);
	assert_int_equal(host.msr[0], LVT);
	assert_int_equal(host.value[0], 1u << 17 | 0x40);
	assert_int_equal(host.msr[1], INITIAL);
	assert_in_range(host.value[1], 9999999, 10000000);
	assert_int_equal(cpu->timer_deadline, 77);
	assert_int_equal(cpu->timer_period_ns, 10 * MS);
}

static void no_period_is_nothing_or_too_long_for_the_register(void **state)
{
	(void)state;
	arch_timer_arm(cpu, 77, 0);
	assert_int_equal(host.value[1], 1);
	arch_timer_arm(cpu, 77, 5000 * MS);
	assert_int_equal(host.value[3], UINT32_MAX);
}

static void what_the_host_refuses_is_not_armed(void **state)
{
	static const uint32_t msrs[] = { LVT, INITIAL };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		cpu->timer_deadline = 5;
		host.refuses = msrs[i];
		arch_timer_arm(cpu, 77, MS);
		assert_int_equal(cpu->timer_deadline, 0);
	}
}

static void it_is_stopped_once(void **state)
{
	(void)state;
	arch_timer_stop(cpu);
	assert_int_equal(host.writes, 0);
	arch_timer_arm(cpu, 77, MS);
	cpu->tick = true;
	arch_timer_stop(cpu);
	assert_int_equal(host.writes, 3);
	assert_int_equal(host.msr[2], INITIAL);
	assert_int_equal(host.value[2], 0);
	assert_int_equal(cpu->timer_deadline, 0);
	assert_false(cpu->tick);
	arch_timer_stop(cpu);
	assert_int_equal(host.writes, 3);
}

/* Also one whose arming was refused half-way: the old count may run. */
static void a_refused_stop_is_tried_again(void **state)
{
	(void)state;
	arch_timer_arm(cpu, 77, MS);
	host.refuses = INITIAL;
	arch_timer_arm(cpu, 78, MS);
	arch_timer_stop(cpu);
	host.refuses = 0;
	host.writes = 0;
	arch_timer_stop(cpu);
	assert_int_equal(host.writes, 1);
}

/* The guest can write the doorbell page, so what stands there saves no EOI. */
static void every_event_is_ended(void **state)
{
	(void)state;
	timer_end_of_interrupt();
	assert_int_equal(host.writes, 1);
	assert_int_equal(host.msr[0], EOI);
	assert_int_equal(host.value[0], 0);
}

static void the_clock_counts_nanoseconds(void **state)
{
	struct cpu_clock clock = { 0 };

	(void)state;
	assert_int_equal(clock_advance(&clock, 5000, 0), 0);
	assert_int_equal(clock_advance(&clock, 5000 + 2000, 0), 1000);
	assert_int_equal(clock_advance(&clock, 5000 + 2000000000, 0), 1000000000);
}

/*
 * A TSC that was turned back, also to before the start, neither stops the clock nor makes it leap.
 */
static void a_tsc_turned_back_loses_nothing(void **state)
{
	struct cpu_clock clock = { 0 };

	(void)state;
	(void)clock_advance(&clock, 1000000, 0);
	assert_int_equal(clock_advance(&clock, 3000000, 0), 1000000);
	assert_int_equal(clock_advance(&clock, 10, 0), 1000000);
	assert_int_equal(clock_advance(&clock, 2010, 0), 1001000);
	assert_int_equal(clock_advance(&clock, 3000, 0), 1001495);
}

/* A vCPU whose TSC is behind goes on from where the others are, and at its own pace. */
static void no_vcpu_is_behind_another(void **state)
{
	struct cpu_clock clock = { 0 };

	(void)state;
	assert_int_equal(clock_advance(&clock, 100, 5000), 5000);
	assert_int_equal(clock_advance(&clock, 2100, 5000), 6000);
	assert_int_equal(clock_advance(&clock, 4100, 9000), 9000);
	assert_int_equal(clock_advance(&clock, 6100, 9000), 10000);
}

static void rates_that_no_tsc_has_are_not_believed(void **state)
{
	static const uint32_t wrong[] = { 1, 499999, 10000001, UINT32_MAX };
	struct cpu_clock clock;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		host.tsc_khz = wrong[i];
		fake_cpu.tsc_step = TSC_STEP;
		host.count = UINT32_MAX;
		assert_true(arch_clock_init());
		memset(&clock, 0, sizeof(clock));
		(void)clock_advance(&clock, 1, 0);
		/* 3 GHz are the guess. */
		assert_in_range(clock_advance(&clock, 3000001, 0), 999999, 1000000);
	}
}

static void time_never_goes_back(void **state)
{
	uint64_t before = arch_now_ns(), after;

	(void)state;
	fake_cpu.tsc += 2000000;
	after = arch_now_ns();
	assert_in_range(after - before, 999999, 1000000);
	fake_cpu.tsc = 5;
	assert_int_equal(arch_now_ns(), after);
	fake_cpu.tsc = 2005;
	assert_in_range(arch_now_ns() - after, 999, 1001);
}

/* As after a reset: x2APIC mode is bit 10 of APIC_BASE, the APIC's enable bit 11. */
static bool start_clock(void)
{
	host.writes = 0;
	host.count = UINT32_MAX;
	fake_cpu.tsc_step = TSC_STEP;

	bool there = arch_clock_init();

	fake_cpu.tsc_step = 0;
	return there;
}

static void it_starts_silent(void **state)
{
	static const uint32_t msrs[] = { 0x1b, 0x80f, 0x83e, LVT, INITIAL, INITIAL };
	static const uint64_t values[] = { 0xfee00d00, 0x1ff, 0xb, 0x10040, UINT32_MAX, 0 };

	(void)state;
	host.apic_base = 0xfee00100;
	assert_true(start_clock());
	assert_int_equal(host.writes, 6);
	for (unsigned int i = 0; i < 6; i++) {
		assert_int_equal(host.msr[i], msrs[i]);
		assert_int_equal(host.value[i], values[i]);
	}
	/* Who has it in x2APIC mode already is not asked for it. */
	host.apic_base = 0xfee00d00;
	host.writes = 0;
	assert_true(arch_timer_init());
	assert_int_equal(host.writes, 3);
	assert_int_equal(host.msr[0], 0x80f);
}

static void assert_stopped(void)
{
	assert_int_equal(host.msr[(host.writes - 1) % 16], INITIAL);
	assert_int_equal(host.value[(host.writes - 1) % 16], 0);
}

static void without_a_register_there_is_no_timer(void **state)
{
	static const uint32_t written[] = { 0x1b, 0x80f, 0x83e, LVT, INITIAL };
	static const uint32_t read[] = { 0x1b, CURRENT };

	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		host.refuses = written[i];
		assert_int_equal(arch_timer_init(), written[i] == INITIAL);
		assert_false(start_clock());
	}
	host.refuses = 0;
	for (unsigned int i = 0; i < 2; i++) {
		host.unread = read[i];
		assert_false(start_clock());
	}
	assert_stopped(); /* also one that counts without a look at it */
	host.unread = 0;
	host.step = 0; /* it does not count, which is found out by a first look and 1024 more */
	host.looks = 0;
	assert_false(start_clock());
	assert_int_equal(host.looks, 1025);
	assert_stopped();
}

/*
 * Nanoseconds that 3 million ticks of the TSC are, and ticks of the timer in a millisecond. Looked
 * at over a thousand times that, so that a part in a million shows.
 */
static void assert_rates(uint64_t ns, uint64_t ticks)
{
	struct cpu_clock own = { 0 };

	(void)clock_advance(&own, 1, 0);
	assert_in_range(clock_advance(&own, 3000000001, 0), 1000 * ns - 2, 1000 * ns);
	arch_timer_arm(cpu, 77, 1000 * MS);
	assert_in_range(host.value[(host.writes - 1) % 16], 1000 * ticks - 2, 1000 * ticks);
}

static void rates_that_the_host_does_not_say_are_measured(void **state)
{
	(void)state;
	/* 100000 ticks while the TSC goes on by 300000: a TSC of 3 GHz, if those are ns. */
	host.tsc_khz = 0;
	assert_true(start_clock());
	assert_rates(1000000, 1000000);
	host.apic_khz = 0;
	host.tsc_khz = 2000000;
	assert_true(start_clock());
	assert_rates(1000000, 1000000);
	/* 200000 while the TSC goes on by 300000: 1.5 GHz, which is just no absurd one. */
	host.step = 200000;
	assert_true(start_clock());
	assert_rates(2000000, 1000000);
	/* Another tick a look, and the timer is no clock of ns: the TSC is taken for 3 GHz. */
	host.step = 240000;
	assert_true(start_clock());
	assert_rates(1000000, 2400000);
}

/* No rate can be measured by it: then the timer counts ns, to the last of them in four seconds. */
static void a_tsc_that_stands_still_measures_nothing(void **state)
{
	(void)state;
	host.tsc_khz = host.apic_khz = 0;
	fake_cpu.tsc_step = 0;
	assert_true(arch_clock_init());
	arch_timer_arm(cpu, 77, 4000 * MS);
	assert_in_range(host.value[(host.writes - 1) % 16], 3999999999, 4000000000);
}

static void rates_that_the_host_says_are_believed(void **state)
{
	(void)state;
	host.tsc_khz = 2500000;
	host.apic_khz = 100000;
	assert_true(start_clock());
	assert_rates(1200000, 100000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_fires_again_and_again),
		TEST(no_period_is_nothing_or_too_long_for_the_register),
		TEST(what_the_host_refuses_is_not_armed),
		TEST(it_is_stopped_once),
		TEST(a_refused_stop_is_tried_again),
		TEST(every_event_is_ended),
		TEST(the_clock_counts_nanoseconds),
		TEST(a_tsc_turned_back_loses_nothing),
		TEST(no_vcpu_is_behind_another),
		TEST(rates_that_no_tsc_has_are_not_believed),
		TEST(time_never_goes_back),
		TEST(it_starts_silent),
		TEST(without_a_register_there_is_no_timer),
		TEST(rates_that_the_host_does_not_say_are_measured),
		TEST(a_tsc_that_stands_still_measures_nothing),
		TEST(rates_that_the_host_says_are_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
