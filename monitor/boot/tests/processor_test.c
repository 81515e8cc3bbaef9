/* SPDX-License-Identifier: MIT */
/*
 * What the start demands. CPUID bits: APM volume 3, appendix E.3: leaf 7 EBX SMEP 7, SMAP 20; ECX
 * UMIP 2; leaf 1 ECX PCLMULQDQ 1, AES 25, RDRAND 30. PVALIDATE's CF: APM volume 3.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "abi/params.h"
#include "core/snp/cpu_features.h"
#include "monitor/arch/arch.h"
#include "monitor/boot/processor.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/log/log.h"

static struct cpuid_result leaf_1, leaf_7;
static char errors[1000], warnings[1000];
static uint32_t pvalidate_result;
static bool pvalidate_changed;

struct cpuid_result cpuid_query(uint32_t leaf, uint32_t subleaf)
{
	assert_int_equal(subleaf, 0);
	return leaf == 1 ? leaf_1 : leaf == 7 ? leaf_7 : (struct cpuid_result){ 0 };
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	char *text = level == LOG_ERROR ? errors : warnings;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + strlen(text), 80, fmt, args);
	va_end(args);
}

uint32_t arch_pvalidate(gpa_t page, enum arch_page_size size, bool validate, bool *changed)
{
	assert_int_equal(page.raw, 0x1f005000);
	assert_int_equal(size, 0);
	assert_true(validate);
	*changed = pvalidate_changed;
	return pvalidate_result;
}

static int set_up(void **state)
{
	(void)state;
	leaf_1 = (struct cpuid_result){ .ecx = 1u << 1 | 1u << 25 | 1u << 30 };
	leaf_7 = (struct cpuid_result){ .ebx = 1u << 7 | 1u << 20, .ecx = 1u << 2 };
	errors[0] = warnings[0] = '\0';
	return 0;
}

static const struct {
	const char *name;
	uint32_t *reg;
	uint32_t bit;
	uint64_t flag;
} cases[] = {
	{ "smep", &leaf_7.ebx, 7, 1 },	     { "smap", &leaf_7.ebx, 20, 2 },
	{ "umip", &leaf_7.ecx, 2, 4 },	     { "aes", &leaf_1.ecx, 25, 8 },
	{ "pclmulqdq", &leaf_1.ecx, 1, 16 }, { "rdrand", &leaf_1.ecx, 30, 32 },
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

static void these_are_enough(void **state)
{
	(void)state;
	assert_true(processor_features(0));
	assert_string_equal(errors, "");
	assert_string_equal(warnings, "");
}

static void each_is_missed_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		char line[40];

		set_up(state);
		*cases[i].reg &= ~(1u << cases[i].bit);
		snprintf(line, sizeof(line), "no %s: ", cases[i].name);
		assert_false(processor_features(0));
		assert_ptr_equal(strstr(errors, line), errors);
		assert_string_equal(warnings, "");
	}
}

/* One that is allowed allows no other. */
static void each_is_allowed_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		set_up(state);
		*cases[i].reg &= ~(1u << cases[i].bit);
		assert_true(processor_features(cases[i].flag));
		assert_string_equal(errors, "");
		assert_non_null(strstr(warnings, cases[i].name));
		assert_false(processor_features(0x3f & ~cases[i].flag));
	}
}

static void all_that_are_missing_are_named(void **state)
{
	(void)state;
	memset(&leaf_1, 0, sizeof(leaf_1));
	memset(&leaf_7, 0, sizeof(leaf_7));
	assert_false(processor_features(0));
	for (size_t i = 0; i < CASES; i++)
		assert_non_null(strstr(errors, cases[i].name));
	assert_true(processor_features(0x3f));
}

static void names_and_flags_belong_together(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++)
		assert_int_equal(cpu_feature_find(cases[i].name)->flag, cases[i].flag);
	assert_null(cpu_feature_find("sse"));
	assert_null(cpu_feature_find(""));
	assert_int_equal(SOCLE_MISSING_KNOWN, 0x3f);
}

static void the_c_bit_reaches_a_page_of_the_launch(void **state)
{
	(void)state;
	pvalidate_result = 0;
	pvalidate_changed = false;
	assert_true(processor_c_bit((gpa_t){ 0x1f005000 }));
	pvalidate_changed = true; /* another page, which nobody had validated */
	assert_false(processor_c_bit((gpa_t){ 0x1f005000 }));
	pvalidate_changed = false;
	pvalidate_result = 1;
	assert_false(processor_c_bit((gpa_t){ 0x1f005000 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(these_are_enough, set_up),
		cmocka_unit_test_setup(each_is_missed_by_name, set_up),
		cmocka_unit_test_setup(each_is_allowed_alone, set_up),
		cmocka_unit_test_setup(all_that_are_missing_are_named, set_up),
		cmocka_unit_test_setup(names_and_flags_belong_together, set_up),
		cmocka_unit_test_setup(the_c_bit_reaches_a_page_of_the_launch, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
