/* SPDX-License-Identifier: MIT */
/*
 * What the AMD-SP takes in a CPUID page. Expected verdicts are those of AMD's published firmware
 * (AMD-ASPFW, cpuid_lookup.c) for the same values on its own processor.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/hv/plane/cpuid_rules.h"

#define TAKEN 9u

struct verdict {
	uint32_t leaf, subleaf;
	uint32_t values[4];
	unsigned int bad; /* TAKEN, or the register */
};

static void judge(const struct verdict *cases, size_t count, struct x86_cpuid real)
{
	for (size_t i = 0; i < count; i++) {
		const uint32_t *v = cases[i].values;
		struct snp_cpuid_entry entry = { .eax_in = cases[i].leaf,
						 .ecx_in = cases[i].subleaf,
						 .eax = v[0],
						 .ebx = v[1],
						 .ecx = v[2],
						 .edx = v[3] };
		unsigned int bad = 0;
		bool taken = cpuid_rules_take(&entry, &real, &bad);

		if (taken != (cases[i].bad == TAKEN) || (!taken && bad != cases[i].bad))
			fail_msg("case %zu of leaf 0x%x: taken %d, register %u", i, cases[i].leaf,
				 taken, bad);
	}
}

#define JUDGE(cases, ...) \
	judge(cases, sizeof(cases) / sizeof((cases)[0]), (struct x86_cpuid){ __VA_ARGS__ })

static void test_basic(void **state)
{
	static const struct verdict vendor[] = {
		{ 0, 0, { 0x10, 1, 2, 3 }, TAKEN },
		{ 0, 0, { 0x0f, 1, 2, 3 }, TAKEN },
		{ 0, 0, { 0x11, 1, 2, 3 }, 0 },
	};
	static const struct verdict features[] = {
		{ 1, 0, { 0x00a00f11, 0x03020800, 0x7ef8320b, 0x178bfbff }, TAKEN },
		{ 1, 0, { 0x00a00f10, 0x00000800, 0x00000000, 0x00000000 }, TAKEN },
		{ 1, 0, { 0x00a00f12, 0x00000800, 0, 0 }, 0 },	   /* a later stepping */
		{ 1, 0, { 0x00a10f00, 0x00000800, 0, 0 }, 0 },	   /* a later model */
		{ 1, 0, { 0x00b00f00, 0x00000800, 0, 0 }, 0 },	   /* a later family */
		{ 1, 0, { 0x00830f10, 0x00000800, 0, 0 }, TAKEN }, /* an older family */
		{ 1, 0, { 0x10a00f11, 0x00000800, 0, 0 }, 0 },	   /* a reserved bit */
		{ 1, 0, { 0x00a00f11, 0x00000400, 0, 0 }, 1 },	   /* another CLFLUSH */
		{ 1, 0, { 0x00a00f11, 0x00000801, 0, 0 }, 1 },
		{ 1,
		  0,
		  { 0x00a00f11, 0x00000800, 0x88000000, 0 },
		  TAKEN }, /* OSXSAVE, hypervisor */
		{ 1, 0, { 0x00a00f11, 0x00000800, 0x00000004, 0 }, 2 },
		{ 1, 0, { 0x00a00f11, 0x00000800, 0, 0x80000000 }, 3 },
	};

	(void)state;
	JUDGE(vendor, 0x10, 0x68747541, 0x444d4163, 0x69746e65);
	JUDGE(features, 0x00a00f11, 0x00000800, 0x7ef8320b, 0x178bfbff);
}

static void test_extended(void **state)
{
	static const struct verdict sizes[] = {
		{ 0x80000008, 0, { 0x00003030, 0, 7, 0x00010007 }, TAKEN },
		{ 0x80000008, 0, { 0x0000302f, 0, 7, 0x00000007 }, TAKEN },
		{ 0x80000008, 0, { 0x00003031, 0, 0, 0 }, 0 },
		{ 0x80000008, 0, { 0x00003130, 0, 0, 0 }, 0 },
		{ 0x80000008, 0, { 0x00003030, 2, 0, 0 }, 1 },
		{ 0x80000008, 0, { 0x00003030, 0, 0, 0x00000008 }, 3 },
		{ 0x80000008, 0, { 0x00003030, 0, 0, 0x00020000 }, 3 },
	};
	static const struct verdict sev[] = {
		{ 0x8000001f, 0, { 0x3a, 0x8000406f, 1, 1 }, TAKEN },
		{ 0x8000001f, 0, { 0x1a, 0x80004fef, 0, 0 }, TAKEN }, /* lost address bits */
		{ 0x8000001f, 0, { 0x3b, 0x8000406f, 0, 0 }, 0 },
		{ 0x8000001f, 0, { 0x3a, 0x80004073, 0, 0 }, 1 }, /* another C-bit */
	};
	static const struct verdict topology[] = {
		{ 0x8000001d, 4, { 5, 0, 5, 0 }, TAKEN }, { 0x8000001d, 4, { 5, 1, 5, 0 }, 1 },
		{ 0x8000001e, 0, { 1, 2, 3, 4 }, TAKEN }, { 0x80000007, 0, { 1, 0, 0, 0 }, 0 },
		{ 0x80000007, 0, { 0, 0, 9, 0 }, TAKEN },
	};

	(void)state;
	JUDGE(sizes, 0x00003030, 0, 0, 0x00010007);
	JUDGE(sev, 0x3a, 0x8000406f, 0, 0);
	JUDGE(topology, 0, 0, 0, 0);
}

static void test_xsave(void **state)
{
	static const struct verdict cases[] = {
		{ 0xd, 0, { 7, 0x240, 5, 0 }, TAKEN },
		{ 0xd, 0, { 3, 0x240, 5, 0 }, TAKEN },
		{ 0xd, 0, { 1, 0x240, 5, 0 }, 0 }, /* SSE must be there */
		{ 0xd, 0, { 0xf, 0x240, 5, 0 }, 0 },
		{ 0xd, 0, { 7, 0x340, 5, 0 }, 1 }, /* without AVX in XCR0_IN */
		{ 0xd, 0, { 7, 0x240, 5, 1 }, 3 },
	};
	struct snp_cpuid_entry avx = { .eax_in = 0xd, .xcr0_in = 7, .eax = 7, .ebx = 0x340 };
	struct x86_cpuid real = { 7, 0, 0, 0 };
	unsigned int bad;

	(void)state;
	JUDGE(cases, 7, 0, 0, 0);
	assert_true(cpuid_rules_take(&avx, &real, &bad));
	avx.ebx = 0x240;
	assert_false(cpuid_rules_take(&avx, &real, &bad));
	assert_int_equal(bad, 1);
}

/* Leaves that the firmware does not know are zeros, but for those of the hypervisor. */
static void test_unknown(void **state)
{
	static const struct verdict cases[] = {
		{ 0x20, 0, { 0, 0, 0, 0 }, TAKEN },	  { 0x20, 0, { 0, 0, 0, 1 }, 3 },
		{ 0x80000100, 0, { 1, 0, 0, 0 }, 0 },	  { 0xb, 3, { 0, 0, 3, 0 }, 2 },
		{ 0x40000000, 0, { 1, 2, 3, 4 }, TAKEN }, { 0x80010000, 0, { 1, 2, 3, 4 }, TAKEN },
	};
	struct snp_cpuid_entry reserved = { .eax_in = 2, .reserved = 1 };
	struct x86_cpuid real = { 0 };
	unsigned int bad;

	(void)state;
	JUDGE(cases, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff);
	assert_false(cpuid_rules_take(&reserved, &real, &bad));
	assert_int_equal(bad, CPUID_RULES_RESERVED);
	reserved.eax_in = 0x40000000;
	assert_true(cpuid_rules_take(&reserved, &real, &bad));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_basic),
		cmocka_unit_test(test_extended),
		cmocka_unit_test(test_xsave),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
