/* SPDX-License-Identifier: MIT */
/* The forms of a report, at their edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include "core/evidence/host/report_input.h"

#define SIZE sizeof(struct psp_report)

static uint8_t bytes[SIZE + 64];

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	return 0;
}

static const char *read_exact(struct report_input *input, const void *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1); /* for the sanitizer to see a byte too far */
	const char *error;

	assert_non_null(copy);
	memcpy(copy, data, size);
	error = report_input_read(input, copy, size);
	free(copy);
	return error;
}

static void accepts(const void *data, size_t size, size_t table_size)
{
	struct report_input input;

	assert_null(read_exact(&input, data, size));
	assert_memory_equal(&input.report, bytes, SIZE);
	assert_int_equal(input.table.size, table_size);
	if (table_size)
		assert_memory_equal(input.table.data, bytes + SIZE, table_size);
	report_input_free(&input);
}

static void refuses(const void *data, size_t size)
{
	struct report_input input;

	assert_non_null(read_exact(&input, data, size));
	assert_null(input.table.data);
}

static void test_binary(void **state)
{
	(void)state;
	for (size_t size = 0; size < SIZE; size += 37)
		refuses(bytes, size);
	refuses(bytes, SIZE - 1);
	accepts(bytes, SIZE, 0);
	accepts(bytes, SIZE + 1, 1);
	accepts(bytes, SIZE + 64, 64);
}

static void test_hcl(void **state)
{
	uint8_t blob[32 + SIZE] = "HCLA";

	(void)state;
	memcpy(blob + 32, bytes, SIZE);
	accepts(blob, sizeof(blob), 0);
	refuses(blob, sizeof(blob) - 1);
	refuses(blob, 4);
	refuses(blob, 3);
}

static void test_hex(void **state)
{
	char text[3 * (SIZE + 64) + 1];
	size_t length = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		length += (size_t)sprintf(text + length, i % 2 ? "%02X\n" : "%02x ", bytes[i]);
	accepts(text, length, 64);
	accepts(text, 3 * SIZE, 0);
	refuses(text, 3 * SIZE - 2);
	refuses(text, 3 * SIZE - 3);
	text[10] = '\0';
	refuses(text, 3 * 100);
}

/* By RFC 4648's own examples of padding, behind a report of 'A's, which are zeros. */
static void test_base64(void **state)
{
	static const struct {
		const char *end, *table;
	} good[] = { { "AAAAZg==", "f" },
		     { "AAAAZm8=", "fo" },
		     { "AAAAZm9v", "foo" },
		     { "AA AA\nZm 9v\r\nYg==", "foob" } };
	static const char *const bad[] = { "AAAAZg=",  "AAAAZg",   "AAAAZh==",
					   "AAAAZm9=", "AAAAZ===", "AAAAZm=v",
					   "AAAA====", "AAAA*m9v", "AAAA-m9v" };
	/* 1184 bytes are 1578 digits and 4 bits: 1576 are 1182, and the next group completes it. */
	char text[1576 + 32];
	struct report_input input;

	(void)state;
	memset(text, 'A', 1576);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		strcpy(text + 1576, good[i].end);
		assert_null(read_exact(&input, text, strlen(text)));
		assert_int_equal(input.table.size, strlen(good[i].table) + 1);
		assert_memory_equal(input.table.data + 1, good[i].table, strlen(good[i].table));
		report_input_free(&input);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(text + 1576, bad[i]);
		refuses(text, strlen(text));
	}
}

static void test_too_large(void **state)
{
	uint8_t *much = calloc(1, REPORT_INPUT_MAX + 1);
	struct report_input input;

	(void)state;
	assert_non_null(much);
	assert_null(report_input_read(&input, much, REPORT_INPUT_MAX));
	report_input_free(&input);
	assert_non_null(report_input_read(&input, much, REPORT_INPUT_MAX + 1));
	free(much);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_binary),	  cmocka_unit_test(test_hcl),
		cmocka_unit_test(test_hex),	  cmocka_unit_test(test_base64),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
