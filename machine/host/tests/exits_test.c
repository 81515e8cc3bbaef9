/* SPDX-License-Identifier: MIT */
/* Names of exits, by the codes of the AMD64 manual (volume 2, appendix C) and the GHCB document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/host/exits.h"

static void assert_name(uint64_t code, const char *expected)
{
	char name[EXIT_NAME_SIZE];

	exit_name(code, name);
	assert_string_equal(name, expected);
}

static void test_svm(void **state)
{
	(void)state;
	assert_name(0x72, "cpuid");
	assert_name(0x400, "npf");
	assert_name(0x00, "cr0_read");
	assert_name(0x13, "cr3_write");
	assert_name(0x27, "dr7_read");
	assert_name(0x3f, "dr15_write");
	assert_name(0x46, "exception_6");
	assert_name(0x5f, "exception_31");
	assert_name(0x60, "intr");
	assert_name(0xffffffff, "0xffffffff");
}

static void test_ghcb(void **state)
{
	(void)state;
	assert_name(1ull << 63 | 0x72, "nae.cpuid");
	assert_name(1ull << 63 | 0x80000018, "nae.run_vmpl");
	assert_name(1ull << 63 | 0x80000099, "nae.0x80000099");
	assert_name(1ull << 62 | 0x4, "msr.cpuid");
	assert_name(1ull << 62 | 0x100, "msr.term_request");
	assert_name(1ull << 62 | 0xfff, "msr.0xfff");
	assert_name(0x80000018, "0x80000018");
	assert_int_equal(exit_code(1ull << 63 | 0x80000018), 0x80000018);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_svm),
		cmocka_unit_test(test_ghcb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
