/* SPDX-License-Identifier: MIT */
/*
 * RTC_STS, RTC_EN and SCI, as the Intel ICH9 data sheet has them (PM1_STS, PM1_EN: bit 10 each,
 * RTC_STS cleared by writing 1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/hv/event/alarm.h"
#include "machine/hv/event/pins.h"

static struct vcpu *const cpu = NULL;
static bool lines[24];
static unsigned int asked; /* how often somebody was to look again who has to tell of IRQ 8 */

void pins_set_line(struct vcpu *v, unsigned int n, bool asserted)
{
	assert_ptr_equal(v, cpu);
	lines[n] = asserted;
}

void pins_listen(struct vcpu *v, unsigned int n)
{
	assert_ptr_equal(v, cpu);
	assert_int_equal(n, 8);
	asked++;
}

/* Neither set nor enabled. */
static int start(void **state)
{
	(void)state;
	alarm_write(cpu, 0xffff, 0);
	asked = 0;
	return 0;
}

static void test_not_enabled(void **state)
{
	(void)state;
	assert_int_equal(alarm_status(), 0);
	alarm_interrupt(cpu);
	assert_int_equal(alarm_status(), 0x400);
	assert_false(lines[9]);
	alarm_write(cpu, 0, 0xfbff); /* all but RTC_EN */
	assert_false(lines[9]);
	alarm_write(cpu, 0, 0x400); /* what is set already counts */
	assert_true(lines[9]);
}

static void test_cleared(void **state)
{
	(void)state;
	alarm_write(cpu, 0, 0x400);
	assert_false(lines[9]);
	alarm_interrupt(cpu);
	assert_true(lines[9]);
	assert_false(lines[8]);
	alarm_write(cpu, 0xfbff, 0x400); /* the others' bits */
	assert_int_equal(alarm_status(), 0x400);
	assert_true(lines[9]);
	alarm_write(cpu, 0x400, 0x400);
	assert_int_equal(alarm_status(), 0);
	assert_false(lines[9]);
	alarm_interrupt(cpu);
	assert_true(lines[9]);
}

static void test_disabled(void **state)
{
	(void)state;
	alarm_write(cpu, 0, 0x400);
	alarm_interrupt(cpu);
	alarm_write(cpu, 0, 0);
	assert_false(lines[9]);
	assert_int_equal(alarm_status(), 0x400);
}

/* Who listens only until RTC_STS is set learns of each change, and of nothing else. */
static void test_told(void **state)
{
	(void)state;
	alarm_write(cpu, 0x400, 0x400);
	assert_int_equal(asked, 0);
	alarm_interrupt(cpu);
	assert_int_equal(asked, 1);
	alarm_interrupt(cpu);
	alarm_write(cpu, 0xfbff, 0);
	assert_int_equal(asked, 1);
	alarm_write(cpu, 0x400, 0);
	assert_int_equal(asked, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_not_enabled, start),
		cmocka_unit_test_setup(test_cleared, start),
		cmocka_unit_test_setup(test_disabled, start),
		cmocka_unit_test_setup(test_told, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
