/* SPDX-License-Identifier: MIT */
/* Which pages are open to writes, and which to fetches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/hv/memory/code_use.h"

#define PAGE 0x1234u
#define CODE_AT 0xffffffff81000000u
#define LONG_AFTER(t) ((t) + CODE_GRACE)

static struct code_fault at(unsigned int vcpu, bool fetch, uint64_t rip, uint64_t now)
{
	return (struct code_fault){ vcpu, PAGE, rip, fetch, now };
}

/* One fault on a page that is used as that; what it becomes, -1 when the vCPU has to wait. */
static int decide(struct code_history *h, enum code_use use, struct code_fault fault)
{
	return code_decide(h, &fault, &use) ? (int)use : -1;
}

static void test_changes(void **state)
{
	struct code_history h = { 0 };

	(void)state;
	assert_int_equal(decide(&h, CODE_WRITTEN, at(0, true, CODE_AT, 5)), CODE_EXECUTED);
	assert_int_equal(decide(&h, CODE_EXECUTED, at(0, false, CODE_AT + 9, 6)), CODE_WRITTEN);
	assert_int_equal(decide(&h, CODE_WRITTEN, at(0, true, CODE_AT + 12, 7)), CODE_EXECUTED);
}

/* Another vCPU was faster: nothing to decide, and nothing to wait for. */
static void test_is_already(void **state)
{
	struct code_history h = { 0 };

	(void)state;
	assert_int_equal(decide(&h, CODE_WRITTEN, at(0, true, CODE_AT, 5)), CODE_EXECUTED);
	assert_int_equal(decide(&h, CODE_EXECUTED, at(1, true, CODE_AT, 6)), CODE_EXECUTED);
	assert_int_equal(decide(&h, CODE_WRITTEN, at(1, false, CODE_AT, 6)), CODE_WRITTEN);
	assert_int_equal(decide(&h, CODE_BOTH, at(1, false, CODE_AT, 6)), CODE_BOTH);
	assert_int_equal(decide(&h, CODE_BOTH, at(1, true, CODE_AT, 6)), CODE_BOTH);
}

static void test_one_instruction_needs_both(void **state)
{
	struct code_history h = { 0 };

	(void)state;
	assert_int_equal(decide(&h, CODE_WRITTEN, at(0, true, CODE_AT, 5)), CODE_EXECUTED);
	assert_int_equal(decide(&h, CODE_EXECUTED, at(0, false, CODE_AT, 6)), CODE_BOTH);
	h = (struct code_history){ 0 };
	assert_int_equal(decide(&h, CODE_EXECUTED, at(0, false, CODE_AT, 5)), CODE_WRITTEN);
	assert_int_equal(decide(&h, CODE_WRITTEN, at(0, true, CODE_AT, 6)), CODE_BOTH);
}

/* A vCPU that runs what another one writes, again and again, needs no more than to run it. */
static void test_two_vcpus_do_not_need_both(void **state)
{
	struct code_history h = { 0 };
	uint64_t now = 1;

	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		now = LONG_AFTER(now);
		assert_int_equal(decide(&h, CODE_WRITTEN, at(1, true, CODE_AT, now)),
				 CODE_EXECUTED);
		now = LONG_AFTER(now);
		assert_int_equal(decide(&h, CODE_EXECUTED, at(0, false, CODE_AT, now)),
				 CODE_WRITTEN);
	}
}

static void test_other_page_or_instruction(void **state)
{
	struct code_history h = { 0 };
	struct code_fault other = { 0, PAGE + 1, CODE_AT, false, 6 };

	(void)state;
	assert_int_equal(decide(&h, CODE_WRITTEN, at(0, true, CODE_AT, 5)), CODE_EXECUTED);
	assert_int_equal(decide(&h, CODE_EXECUTED, other), CODE_WRITTEN);
	assert_int_equal(decide(&h, CODE_EXECUTED, at(0, false, CODE_AT, 7)), CODE_WRITTEN);
	assert_int_equal(decide(&h, CODE_WRITTEN, at(0, true, CODE_AT + 1, 8)), CODE_EXECUTED);
}

/* What one vCPU was given is its own for a while, whichever page the other one wants. */
static void test_grace(void **state)
{
	struct code_history h = { 0 };
	struct code_fault other = { 1, PAGE + 1, CODE_AT, true, 5 + CODE_GRACE - 1 };

	(void)state;
	assert_int_equal(decide(&h, CODE_EXECUTED, at(0, false, CODE_AT, 5)), CODE_WRITTEN);
	assert_int_equal(decide(&h, CODE_WRITTEN, at(1, true, CODE_AT, 5)), -1);
	assert_int_equal(decide(&h, CODE_WRITTEN, other), -1);
	assert_int_equal(decide(&h, CODE_WRITTEN, at(0, true, CODE_AT + 1, 6)), CODE_EXECUTED);
	assert_int_equal(decide(&h, CODE_WRITTEN, at(1, true, CODE_AT, 6 + CODE_GRACE - 1)), -1);
	assert_int_equal(decide(&h, CODE_WRITTEN, at(1, true, CODE_AT, 6 + CODE_GRACE)),
			 CODE_EXECUTED);
}

/* A fault that had to wait is not one that the vCPU has got over. */
static void test_waiting_is_forgotten(void **state)
{
	struct code_history h = { 0 };

	(void)state;
	assert_int_equal(decide(&h, CODE_EXECUTED, at(0, false, CODE_AT, 5)), CODE_WRITTEN);
	assert_int_equal(decide(&h, CODE_WRITTEN, at(1, true, CODE_AT, 6)), -1);
	assert_int_equal(decide(&h, CODE_EXECUTED, at(1, false, CODE_AT, LONG_AFTER(6))),
			 CODE_WRITTEN);
}

/* Faults of one instruction on a page of its own, so that it is open to both. */
static void open_to_both(struct code_history *h, uint64_t page, uint64_t now)
{
	struct code_fault write = { 0, page, CODE_AT, false, now };
	struct code_fault fetch = { 0, page, CODE_AT, true, now };

	assert_int_equal(decide(h, CODE_EXECUTED, write), CODE_WRITTEN);
	assert_int_equal(decide(h, CODE_WRITTEN, fetch), CODE_BOTH);
}

static void test_close(void **state)
{
	struct code_history h = { 0 };
	uint64_t page = 0;

	(void)state;
	assert_false(code_close(&h, 5 + CODE_BOTH_TICKS, &page));
	open_to_both(&h, PAGE, 5);
	open_to_both(&h, PAGE + 1, 7);
	assert_false(code_close(&h, 5 + CODE_BOTH_TICKS - 1, &page));
	assert_true(code_close(&h, 5 + CODE_BOTH_TICKS, &page));
	assert_int_equal(page, PAGE);
	assert_false(code_close(&h, 7 + CODE_BOTH_TICKS - 1, &page));
	assert_true(code_close(&h, 7 + CODE_BOTH_TICKS, &page));
	assert_int_equal(page, PAGE + 1);
	assert_false(code_close(&h, 7 + CODE_BOTH_TICKS, &page));
}

static void test_close_for_room(void **state)
{
	struct code_history h = { 0 };
	uint64_t page = 0;

	(void)state;
	for (uint64_t i = 0; i < CODE_BOTH_MAX; i++) {
		assert_false(code_close(&h, 5, &page));
		open_to_both(&h, PAGE + i, 5);
	}
	assert_true(code_close(&h, 5, &page));
	assert_int_equal(page, PAGE);
	assert_false(code_close(&h, 5, &page));
	open_to_both(&h, PAGE, 6);
	assert_true(code_close(&h, 6, &page));
	assert_int_equal(page, PAGE + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_is_already),
		cmocka_unit_test(test_one_instruction_needs_both),
		cmocka_unit_test(test_two_vcpus_do_not_need_both),
		cmocka_unit_test(test_other_page_or_instruction),
		cmocka_unit_test(test_grace),
		cmocka_unit_test(test_waiting_is_forgotten),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_close_for_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
