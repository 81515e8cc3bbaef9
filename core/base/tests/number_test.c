/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/base/number.h"

#define ANY 0, UINT64_MAX

static bool read_text(const char *text, enum number_form form, uint64_t min, uint64_t max,
		      uint64_t *value)
{
	return number_read(text, strlen(text), form, min, max, value);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		enum number_form form;
		uint64_t value;
	} good[] = {
		{ "0", NUMBER_DECIMAL, 0 },
		{ "0", NUMBER_PREFIXED, 0 },
		{ "10", NUMBER_DECIMAL, 10 },
		{ "18446744073709551615", NUMBER_DECIMAL, UINT64_MAX },
		{ "18446744073709551615", NUMBER_PREFIXED, UINT64_MAX },
		{ "0xffffffffffffffff", NUMBER_PREFIXED, UINT64_MAX },
		{ "0x00000000000000000001", NUMBER_PREFIXED, 1 },
		{ "0xaBcD", NUMBER_PREFIXED, 0xabcd },
	};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		value = 77;
		assert_true(read_text(good[i].text, good[i].form, ANY, &value));
		assert_int_equal(value, good[i].value);
	}
}

static void test_what_is_none(void **state)
{
	static const char *const bad[] = {
		"",
		"-1",
		"+1",
		" 1",
		"1 ",
		"1x",
		"a",
		"00",
		"010",
		"0x",
		"0x 1",
		"0xg",
		"0X1",
		"x1",
		"1.",
		"1,2",
		"0x-1",
		"1\n",
		"18446744073709551616",
		"0x10000000000000000",
	};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(read_text(bad[i], NUMBER_PREFIXED, ANY, &value));
	assert_false(read_text("0x1", NUMBER_DECIMAL, ANY, &value));
	assert_false(read_text("a", NUMBER_DECIMAL, ANY, &value));
}

static void test_bounds(void **state)
{
	uint64_t value;

	(void)state;
	assert_true(read_text("3", NUMBER_DECIMAL, 3, 3, &value));
	assert_false(read_text("2", NUMBER_DECIMAL, 3, 3, &value));
	assert_false(read_text("4", NUMBER_DECIMAL, 3, 3, &value));
}

/* What follows is the caller's, and behind the size nothing is looked at. */
static void test_start_of_text(void **state)
{
	uint64_t value;

	(void)state;
	assert_int_equal(number_at("12,3", 4, NUMBER_DECIMAL, &value), 2);
	assert_int_equal(value, 12);
	assert_int_equal(number_at("0x1fz", 5, NUMBER_PREFIXED, &value), 4);
	assert_int_equal(value, 0x1f);
	assert_int_equal(number_at("1234", 2, NUMBER_DECIMAL, &value), 2);
	assert_int_equal(value, 12);
	assert_int_equal(number_at(",3", 2, NUMBER_DECIMAL, &value), 0);
}

static void test_units(void **state)
{
	static const struct number_unit units[] = { { "", 1 }, { "K", 1024 }, { "ms", 3 } };
	static const char *const bad[] = { "K",	  "1k", "1KK", "1 K",
					   "01K", "1m", "-1K", "18014398509481984K" };
	uint64_t value;

	(void)state;
	assert_true(number_read_unit("5", 1, NUMBER_DECIMAL, units, 3, &value));
	assert_int_equal(value, 5);
	assert_true(number_read_unit("5K", 2, NUMBER_DECIMAL, units, 3, &value));
	assert_int_equal(value, 5120);
	assert_true(number_read_unit("0x10ms", 6, NUMBER_PREFIXED, units, 3, &value));
	assert_int_equal(value, 48);
	assert_true(number_read_unit("18014398509481983K", 18, NUMBER_DECIMAL, units, 3, &value));
	assert_int_equal(value, 18014398509481983ull << 10);
	assert_false(number_read_unit("5", 1, NUMBER_DECIMAL, units + 1, 2, &value));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(
			number_read_unit(bad[i], strlen(bad[i]), NUMBER_DECIMAL, units, 3, &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_bounds),	cmocka_unit_test(test_start_of_text),
		cmocka_unit_test(test_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
