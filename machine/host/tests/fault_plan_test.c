/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "machine/host/fault_plan.h"

static void test_when(void **state)
{
	struct mailbox_fault_plan plan[MAILBOX_FAULT_COUNT] = { 0 };

	(void)state;
	assert_true(fault_parse(plan, "timer-lose=3"));
	assert_true(fault_parse(plan, "timer-delay=/7"));
	assert_true(fault_parse(plan, "timer-repeat"));
	assert_true(fault_parse(plan, "refuse-run-vmpl=1000000"));
	assert_int_equal(plan[MAILBOX_FAULT_TIMER_LOSE].nth, 3);
	assert_int_equal(plan[MAILBOX_FAULT_TIMER_LOSE].every, 0);
	assert_int_equal(plan[MAILBOX_FAULT_TIMER_DELAY].nth, 0);
	assert_int_equal(plan[MAILBOX_FAULT_TIMER_DELAY].every, 7);
	assert_int_equal(plan[MAILBOX_FAULT_TIMER_REPEAT].every, 1);
	assert_int_equal(plan[MAILBOX_FAULT_REFUSE_RUN_VMPL].nth, 1000000);
	assert_int_equal(plan[MAILBOX_FAULT_REFUSE_AP_CREATION].nth, 0);
	assert_int_equal(plan[MAILBOX_FAULT_REFUSE_AP_CREATION].every, 0);
}

static void test_refused(void **state)
{
	static const char *const texts[] = { "",
					     "=1",
					     "timer",
					     "timer-lose2",
					     "timer-lose=",
					     "timer-lose=0",
					     "timer-lose=/",
					     "timer-lose=/0",
					     "timer-lose=-1",
					     "timer-lose=+1",
					     "timer-lose= 1",
					     "timer-lose=1x",
					     "timer-lose=//1",
					     "timer-lose=1000001",
					     "timer-lose=99999999999999999999" };
	struct mailbox_fault_plan plan[MAILBOX_FAULT_COUNT] = { 0 }, none = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (fault_parse(plan, texts[i]))
			fail_msg("\"%s\" was taken", texts[i]);
	}
	for (unsigned int i = 0; i < MAILBOX_FAULT_COUNT; i++)
		assert_memory_equal(&plan[i], &none, sizeof(none));
	assert_true(fault_parse(plan, "timer-lose=1"));
	assert_false(fault_parse(plan, "timer-lose=/2"));
	assert_int_equal(plan[MAILBOX_FAULT_TIMER_LOSE].every, 0);
}

/* Each place of the table has a name, and no two the same: --help and --fault rest on that. */
static void test_table(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < MAILBOX_FAULT_COUNT; i++) {
		assert_non_null(faults[i].name);
		assert_non_null(faults[i].what);
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(faults[i].name, faults[j].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_when),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
