/* SPDX-License-Identifier: MIT */
/* What the guest's CPUID must and must not say, whatever the physical CPU says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/hv/plane/cpuid.h"

static struct x86_cpuid filtered_for(uint32_t leaf, bool invlpgb)
{
	struct cpuid_machine machine = { .cpus = 1, .invlpgb = invlpgb, .invlpgb_count = 7 };
	struct x86_cpuid r = { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff };

	cpuid_filter(&r, leaf, 0, 0, &machine);
	return r;
}

static struct x86_cpuid filtered(uint32_t leaf, uint32_t subleaf, uint32_t apic_id,
				 unsigned int cpus)
{
	struct cpuid_machine machine = { .cpus = cpus, .invlpgb = true, .invlpgb_count = 7 };
	struct x86_cpuid r = { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff };

	cpuid_filter(&r, leaf, subleaf, apic_id, &machine);
	return r;
}

static void test_no_xsave(void **state)
{
	struct x86_cpuid r = filtered(0, 0, 0, 1);

	(void)state;
	assert_int_equal(r.eax, 0xc);
	r = filtered(1, 0, 0, 1);
	assert_int_equal(r.ecx & (1u << 26 | 1u << 27 | 1u << 28 | 1u << 29 | 1u << 12), 0);
	r = filtered(7, 0, 0, 1);
	assert_int_equal(r.eax, 0);
	assert_int_equal(r.ebx & (1u << 5 | 1u << 16), 0);		       /* AVX2, AVX512F */
	assert_int_equal(r.ecx & (1u << 3 | 1u << 4 | 1u << 9 | 1u << 10), 0); /* PKU .. VPCLMUL */
	r = filtered(0xd, 1, 0, 1);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
}

static void test_kept(void **state)
{
	struct x86_cpuid r = filtered(1, 0, 0, 1);

	(void)state;
	assert_int_equal(r.ecx >> 30 & 1, 1); /* RDRAND: Linux checks the C-bit with it */
	assert_int_equal(r.ecx >> 31, 1);     /* hypervisor */
	assert_int_equal(r.ecx >> 21 & 1, 1); /* x2APIC: its MSRs are emulated */
	r = filtered(0x80000001, 0, 0, 1);
	assert_int_equal(r.edx >> 20 & 1, 1); /* NX */
	assert_int_equal(r.edx >> 29 & 1, 1); /* LM */
	assert_int_equal(r.ecx >> 2 & 1, 0);  /* SVM */
}

static void test_topology(void **state)
{
	struct x86_cpuid r = filtered(1, 0, 3, 4);

	(void)state;
	assert_int_equal(r.ebx >> 16, 0x0304);
	assert_int_equal(r.edx >> 28 & 1, 1);
	assert_int_equal(filtered(1, 0, 0, 1).edx >> 28 & 1, 0);
	r = filtered(0xb, 0, 3, 4);
	assert_int_equal(r.eax, 0);
	assert_int_equal(r.ebx, 1);
	assert_int_equal(r.ecx, 0x100);
	assert_int_equal(r.edx, 3);
	r = filtered(0xb, 1, 3, 4);
	assert_int_equal(r.eax, 2);
	assert_int_equal(r.ebx, 4);
	assert_int_equal(r.ecx, 0x201);
	r = filtered(0xb, 2, 3, 4);
	assert_int_equal(r.ebx, 0);
	assert_int_equal(r.ecx, 2);
	r = filtered(0x80000008, 0, 3, 3);
	assert_int_equal(r.ecx, 0x2002);
	assert_int_equal(r.eax & 0xff, 48);
	r = filtered(0x8000001e, 0, 3, 4);
	assert_int_equal(r.eax, 3);
	assert_int_equal(r.ebx, 3);
	assert_int_equal(r.ecx, 0);
}

static void test_sev(void **state)
{
	struct x86_cpuid r = filtered(0x8000001f, 0, 0, 1);

	(void)state;
	assert_int_equal(r.eax, 0x7a); /* SEV, ES, SNP, VMPL; no SME, and nothing we do not do */
	assert_int_equal(r.ebx & 0x3f, 47);
	assert_int_equal(r.ebx >> 6 & 0x3f, 1);
	assert_int_equal(r.ebx >> 12 & 0xf, 4);
	assert_int_equal(filtered(0x80000000, 0, 0, 1).eax, 0x8000001f);
}

/* APM volume 3, appendix E, 8000_0008: INVLPGB, its nested translations, its count of pages. */
static void test_invlpgb(void **state)
{
	struct x86_cpuid r = filtered_for(0x80000008, true);

	(void)state;
	assert_int_equal(r.ebx & (1u << 3 | 1u << 21), 1u << 3 | 1u << 21);
	assert_int_equal(r.edx, 7);
	r = filtered_for(0x80000008, false);
	assert_int_equal(r.ebx & (1u << 3 | 1u << 21), 0);
	assert_int_equal(r.edx, 0);
}

/*
 * A CPU whose own TSC may vary: the guest's does not when it is Secure TSC. Bit 8 of 80000007h EDX.
 */
static void test_secure_tsc(void **state)
{
	struct cpuid_machine machine = { .cpus = 1 };
	struct x86_cpuid r = { 1, 1, 1, 0xffffffff & ~(1u << 8) };

	(void)state;
	cpuid_filter(&r, 0x80000007, 0, 0, &machine);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	machine.secure_tsc = true;
	cpuid_filter(&r, 0x80000007, 0, 0, &machine);
	assert_int_equal(r.eax | r.ebx | r.ecx, 0);
	assert_int_equal(r.edx, 1u << 8);
}

static void test_unknown(void **state)
{
	const uint32_t leaves[] = {
		5, 9, 0xa, 0x14, 0x40000000, 0x8000000a, 0x8000001a, 0x80000020
	};

	(void)state;
	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		struct x86_cpuid r = filtered(leaves[i], 0, 0, 1);

		assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	}
}

static void test_page(void **state)
{
	const struct cpuid_machine machine = { .cpus = 2, .invlpgb = true, .invlpgb_count = 7 };
	static struct snp_cpuid_page page;
	struct cpuid_refusal refusal;

	(void)state;
	assert_true(cpuid_fill_page(&page, false, &machine, &refusal));
	assert_in_range(page.count, 20, SNP_CPUID_MAX_ENTRIES);
	for (uint32_t i = 0; i < page.count; i++) {
		const struct snp_cpuid_entry *e = &page.entries[i];

		assert_int_equal(e->xcr0_in | e->xss_in | e->reserved, 0);
		for (uint32_t k = 0; k < i; k++)
			assert_false(page.entries[k].eax_in == e->eax_in &&
				     page.entries[k].ecx_in == e->ecx_in);
		if (e->eax_in == 0x8000001f)
			assert_int_equal(e->ebx & 0x3f, 47);
	}
}

/* A page with contents: what it lists and nothing else, filled where it is zero. */
static void test_page_with_contents(void **state)
{
	const struct cpuid_machine machine = { .cpus = 2, .invlpgb = true, .invlpgb_count = 7 };
	static struct snp_cpuid_page page;
	struct cpuid_refusal refusal;

	(void)state;
	page.count = 3;
	page.entries[0] = (struct snp_cpuid_entry){ .eax_in = 0x8000001f };
	page.entries[1] = (struct snp_cpuid_entry){ .eax_in = 0x80000008, .eax = 0x2020 };
	page.entries[2] = (struct snp_cpuid_entry){ .eax_in = 0x40000000, .ebx = 0x6c636f53 };
	assert_true(cpuid_fill_page(&page, false, &machine, &refusal));
	assert_int_equal(page.count, 3);
	assert_int_equal(page.entries[0].eax, 0x7a);
	assert_int_equal(page.entries[1].eax, 0x2020);
	assert_int_equal(page.entries[1].ecx, 0);
	assert_int_equal(page.entries[2].ebx, 0x6c636f53);
	page.entries[1].eax = 0x4031; /* wider than any */
	assert_false(cpuid_fill_page(&page, false, &machine, &refusal));
	assert_int_equal(refusal.entry, 1);
	assert_int_equal(refusal.reg, 0);
	page.entries[0].reserved = 1;
	page.entries[0].eax = 0;
	page.entries[0].ebx = 0;
	assert_false(cpuid_fill_page(&page, false, &machine, &refusal));
	assert_int_equal(refusal.entry, 0);
	page.count = 65;
	assert_false(cpuid_fill_page(&page, false, &machine, &refusal));
	assert_int_equal(refusal.entry, 0xffffffff);
	page.count = 0;
	page.reserved_004 = 1;
	assert_false(cpuid_fill_page(&page, false, &machine, &refusal));
	assert_int_equal(refusal.entry, 0xffffffff);
}

/* A page of extended state lists leaf 0xD alone. */
static void test_extended_state_page(void **state)
{
	const struct cpuid_machine machine = { .cpus = 1 };
	static struct snp_cpuid_page page;
	struct cpuid_refusal refusal;

	(void)state;
	assert_true(cpuid_fill_page(&page, true, &machine, &refusal));
	for (uint32_t i = 0; i < page.count; i++)
		assert_int_equal(page.entries[i].eax_in, 0xd);
}

/*
 * A listed leaf without values gets those for its own XCR0_IN (firmware ABI, the CPUID page): the
 * legacy region and the header are 576 bytes, AVX adds 256 (APM volume 2, 11.5).
 */
static void test_xcr0_in(void **state)
{
	const struct cpuid_machine machine = { .cpus = 1, .xfeatures = 7, .xcr0 = 1 };
	static struct snp_cpuid_page page;
	struct cpuid_refusal refusal;

	(void)state;
	page.count = 3;
	page.entries[0] = (struct snp_cpuid_entry){ .eax_in = 0xd, .xcr0_in = 1 };
	page.entries[1] = (struct snp_cpuid_entry){ .eax_in = 0xd, .xcr0_in = 7 };
	page.entries[2] = (struct snp_cpuid_entry){ .eax_in = 0xd, .ecx_in = 1, .xcr0_in = 7 };
	assert_true(cpuid_fill_page(&page, false, &machine, &refusal));
	assert_int_equal(page.entries[0].ebx, 0x240);
	assert_int_equal(page.entries[1].ebx, 0x340);
	assert_int_equal(page.entries[2].ebx, 0x340);
	/* And then the AMD-SP takes them as they are. */
	assert_true(cpuid_fill_page(&page, false, &machine, &refusal));
}

/*
 * What a Linux takes: it ends without entries for XCR0 of 1 (or 3), and calculates the size of the
 * others.
 */
static void test_state_listed(void **state)
{
	const struct cpuid_machine machine = { .cpus = 1, .xfeatures = 7, .xcr0 = 7 };
	static struct snp_cpuid_page page;
	struct cpuid_refusal refusal;

	(void)state;
	assert_true(cpuid_fill_page(&page, true, &machine, &refusal));
	assert_int_equal(page.count, 3);
	for (uint32_t i = 0; i < page.count; i++) {
		assert_int_equal(page.entries[i].eax_in, 0xd);
		assert_int_equal(page.entries[i].ecx_in, i);
		assert_int_equal(page.entries[i].xcr0_in, i < 2 ? 1 : 0);
	}
	assert_int_equal(page.entries[0].ebx, 0x240);
	assert_int_equal(page.entries[1].ebx, 0x240);
	assert_int_equal(page.entries[2].eax, 0x100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_xsave),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_topology),
		cmocka_unit_test(test_sev),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_invlpgb),
		cmocka_unit_test(test_secure_tsc),
		cmocka_unit_test(test_page_with_contents),
		cmocka_unit_test(test_extended_state_page),
		cmocka_unit_test(test_xcr0_in),
		cmocka_unit_test(test_state_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
