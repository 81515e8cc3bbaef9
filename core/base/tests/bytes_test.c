/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/bytes.h"

static const uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };

static void test_reads(void **state)
{
	struct bytes_reader r = bytes_reader_init(data, sizeof(data));

	(void)state;
	assert_int_equal(bytes_u8(&r), 1);
	assert_int_equal(bytes_be16(&r), 0x0203);
	assert_int_equal(bytes_le32(&r), 0x07060504);
	assert_int_equal(bytes_left(&r), 2);
	assert_false(bytes_complete(&r));
	assert_ptr_equal(bytes_take(&r, 2), data + 7);
	assert_true(bytes_complete(&r));
}

/* The first read past the end spoils all that follow, even those that would fit. */
static void test_reads_past_the_end(void **state)
{
	struct bytes_reader r = bytes_reader_init(data, 3);
	uint8_t copy[2] = { 0xff, 0xff };

	(void)state;
	assert_int_equal(bytes_be32(&r), 0);
	assert_true(r.bad);
	assert_int_equal(bytes_left(&r), 0);
	assert_int_equal(bytes_u8(&r), 0);
	assert_null(bytes_take(&r, 0 + 1));
	assert_false(bytes_copy(&r, copy, 2));
	assert_int_equal(copy[0] | copy[1], 0);
	assert_false(bytes_complete(&r));
}

static void test_writes(void **state)
{
	static const uint8_t want[] = { 7, 0x12, 0x34, 0, 0, 0x56, 0x78, 0x9a, 0xbc, 1, 2 };
	uint8_t to[sizeof(want)];
	struct bytes_writer w = bytes_writer_init(to, sizeof(to));

	(void)state;
	bytes_put_u8(&w, 7);
	bytes_put_be16(&w, 0x1234);
	assert_ptr_equal(bytes_put_zeros(&w, 2), to + 3);
	bytes_put_be32(&w, 0x56789abc);
	bytes_put(&w, data, 2);
	bytes_put(&w, NULL, 0);
	assert_false(w.bad);
	assert_int_equal(w.size, sizeof(want));
	assert_memory_equal(to, want, sizeof(want));
}

static void test_writes_past_the_end(void **state)
{
	uint8_t to[4] = { 9, 9, 9, 9 };
	struct bytes_writer w = bytes_writer_init(to, 3);

	(void)state;
	bytes_put(&w, data, 2);
	bytes_put(&w, data, 2);
	assert_true(w.bad);
	bytes_put_u8(&w, 5); /* would fit */
	assert_null(bytes_put_zeros(&w, 0));
	assert_int_equal(w.size, 2);
	assert_int_equal(to[2], 9);
	assert_int_equal(to[3], 9);
}

static void test_zeros(void **state)
{
	static const uint8_t bytes[] = { 0, 0, 0, 1, 0 };

	(void)state;
	assert_true(bytes_are_zero(bytes, 3));
	assert_true(bytes_are_zero(bytes + 3, 0));
	assert_false(bytes_are_zero(bytes, 4));
	assert_false(bytes_are_zero(bytes, 5));
}

static void test_ranges(void **state)
{
	(void)state;
	assert_true(bytes_range_ok(0, 10, 10));
	assert_true(bytes_range_ok(10, 0, 10));
	assert_false(bytes_range_ok(11, 0, 10));
	assert_false(bytes_range_ok(1, 10, 10));
	assert_false(bytes_range_ok(2, UINT64_MAX, 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),  cmocka_unit_test(test_reads_past_the_end),
		cmocka_unit_test(test_writes), cmocka_unit_test(test_writes_past_the_end),
		cmocka_unit_test(test_zeros),  cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
