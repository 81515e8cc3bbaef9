/* SPDX-License-Identifier: MIT */
/* Lookups in the CPUID page, and what a service sees of it. Bits: APM volume 3, appendix E. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/cpu/cpuid.h"

static const struct snp_cpuid_page page = {
	.count = 6,
	.entries = {
		{ .eax_in = 0, .eax = 0xd, .ebx = 0x68747541 },
		{ .eax_in = 1, .ebx = 0x05000800, .ecx = 0xffffffff, .edx = 0x178bfbff },
		{ .eax_in = 7, .ecx_in = 0, .ebx = 0xffffffff, .ecx = 0xffffffff, .edx = 0x10 },
		{ .eax_in = 7, .ecx_in = 1, .eax = 0x30 },
		{ .eax_in = 0xd, .ecx_in = 0, .xcr0_in = 7, .ebx = 0x340 },
		{ .eax_in = 0xd, .ecx_in = 0, .xcr0_in = 1, .ebx = 0x240 },
	},
};

static void an_empty_or_overfull_page_is_refused(void **state)
{
	static struct snp_cpuid_page bad;

	(void)state;
	assert_false(cpuid_init(&bad));
	bad.count = 65;
	assert_false(cpuid_init(&bad));
	bad.count = 64;
	assert_true(cpuid_init(&bad));
}

static void leaves_are_found_by_their_inputs(void **state)
{
	(void)state;
	assert_true(cpuid_init(&page));
	assert_int_equal(cpuid_query(0, 99).eax, 0xd); /* no subleaves: ECX means nothing */
	assert_int_equal(cpuid_query(7, 0).edx, 0x10);
	assert_int_equal(cpuid_query(7, 1).eax, 0x30);
	assert_int_equal(cpuid_query(7, 2).eax, 0);
	assert_int_equal(cpuid_query(0xd, 0).ebx, 0x240); /* the entry for XCR0 = 1 */
	assert_int_equal(cpuid_query(0x80000000, 0).eax, 0);
}

/* APM volume 3, appendix E: the leaves whose answer depends on ECX, and some beside them. */
static void only_some_leaves_have_subleaves(void **state)
{
	static const uint32_t with[] = { 0x4,  0x7,	   0xb,	       0xd,	  0xf,
					 0x10, 0x8000001d, 0x80000020, 0x80000026 };
	static const uint32_t without[] = { 0x3,	0x5,	    0x6,	0x8,
					    0xa,	0xc,	    0xe,	0x11,
					    0x8000001c, 0x8000001e, 0x8000001f, 0x80000021,
					    0x80000025, 0x80000027 };
	static struct snp_cpuid_page two = { .count = 2 };

	(void)state;
	assert_true(cpuid_init(&two));
	for (unsigned int i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
		two.entries[0] = (struct snp_cpuid_entry){ .eax_in = with[i], .eax = 0x10 };
		two.entries[1] =
			(struct snp_cpuid_entry){ .eax_in = with[i], .ecx_in = 1, .eax = 0x11 };
		assert_int_equal(cpuid_query(with[i], 0).eax, 0x10);
		assert_int_equal(cpuid_query(with[i], 1).eax, 0x11);
		assert_int_equal(cpuid_query(with[i], 2).eax, 0);
	}
	for (unsigned int i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
		two.entries[0] = (struct snp_cpuid_entry){ .eax_in = without[i], .eax = 0x10 };
		two.entries[1] = (struct snp_cpuid_entry){ 0 };
		assert_int_equal(cpuid_query(without[i], 0).eax, 0x10);
		assert_int_equal(cpuid_query(without[i], 1).eax, 0x10);
	}
}

static void a_service_sees_no_state_that_is_not_switched(void **state)
{
	(void)state;
	assert_true(cpuid_init(&page));
	/* Leaf 1 ECX without FMA 12, XSAVE 26, OSXSAVE 27, AVX 28, F16C 29, MONITOR 3. */
	assert_int_equal(cpuid_for_service(1, 0, 3).ecx, 0xc3ffeff7);
	assert_int_equal(cpuid_for_service(1, 0, 3).ebx, 0x03000800);
	/* Leaf 7 EBX without FSGSBASE 0, AVX2 5, INVPCID 10 and AVX-512 16 17 21 26 27 28 30 31. */
	assert_int_equal(cpuid_for_service(7, 0, 0).ebx, 0x23dcfbde);
	assert_int_equal(cpuid_for_service(7, 1, 0).eax, 0);
	assert_int_equal(cpuid_for_service(0xd, 0, 0).ebx, 0);
	assert_int_equal(cpuid_for_service(0, 0, 0).ebx, 0x68747541);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_or_overfull_page_is_refused),
		cmocka_unit_test(leaves_are_found_by_their_inputs),
		cmocka_unit_test(only_some_leaves_have_subleaves),
		cmocka_unit_test(a_service_sees_no_state_that_is_not_switched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
