/* SPDX-License-Identifier: MIT */
/* Hexadecimal digits: what is read and what is written, and texts that are no bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/hex.h"

static void test_reads(void **state)
{
	static const uint8_t expected[4] = { 0x00, 0x9a, 0xaf, 0xff };
	uint8_t bytes[4];

	(void)state;
	assert_true(hex_read("009aafff", bytes, sizeof(bytes)));
	assert_memory_equal(bytes, expected, sizeof(bytes));
	assert_true(hex_read("009AAfFF", bytes, sizeof(bytes)));
	assert_memory_equal(bytes, expected, sizeof(bytes));
	assert_true(hex_read("", bytes, 0));
}

static void test_refuses(void **state)
{
	static const char *const bad[] = { "",	     "00",     "00000",	 "0000000", "00000000",
					   "00 000", "0000 0", "+00000", "0x0000",  "00000g",
					   "0000/0", "0000:0", "0000@0", "0000`0",  "000000\n" };
	uint8_t bytes[3];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (hex_read(bad[i], bytes, sizeof(bytes)))
			fail_msg("\"%s\" was read", bad[i]);
	}
}

static void test_writes(void **state)
{
	static const uint8_t bytes[3] = { 0x09, 0xa0, 0xff };
	char text[HEX_TEXT_SIZE(sizeof(bytes))];

	(void)state;
	hex_write(text, bytes, sizeof(bytes));
	assert_string_equal(text, "09a0ff");
	hex_write(text, bytes, 0);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
