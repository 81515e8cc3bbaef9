/* SPDX-License-Identifier: MIT */
/*
 * Each need by itself; the values are those of QEMU's EPYC-Milan with svm, npt and phys-bits=48.
 * Which version has what: QEMU 7.2, 10.0 and 11.1 name, when they start, the features of that model
 * that their software emulation lacks, and the former, but not the others, has rdseed, sha-ni,
 * rdpid, fsrm, 3dnowprefetch and wbnoinvd among them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "machine/hv/base/log.h"
#include "machine/hv/run/cpu_needs.h"

static uint32_t last, features_ecx, features_edx, svm_edx, bits;
static uint32_t missing_leaf, missing_register, missing_bit; /* none while the leaf is 0 */

void hv_stop(enum mailbox_stop reason, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	(void)reason, (void)a, (void)b, (void)c, (void)d;
	abort();
}

/* A bit more or less of a leaf that is not one of those above. */
static struct x86_cpuid without(struct x86_cpuid r, uint32_t leaf)
{
	uint32_t *registers[] = { &r.eax, &r.ebx, &r.ecx, &r.edx };

	if (missing_leaf && leaf == missing_leaf)
		*registers[missing_register] &= ~(1u << missing_bit);
	return r;
}

static struct x86_cpuid all_of(uint32_t leaf)
{
	switch (leaf) {
	case 0x80000000:
		return (struct x86_cpuid){ .eax = last };
	case 0x80000001:
		return (struct x86_cpuid){ .ecx = features_ecx, .edx = features_edx };
	case 0:
		return (struct x86_cpuid){ .eax = 0xd };
	case 0x8000000a:
		return (struct x86_cpuid){ .edx = svm_edx };
	case 0x80000008:
		return (struct x86_cpuid){ .eax = 0x3000 | bits, .ebx = 0x200 };
	default:
		return (struct x86_cpuid){ ~0u, ~0u, ~0u, ~0u };
	}
}

static struct x86_cpuid cpuid(uint32_t leaf)
{
	return without(all_of(leaf), leaf);
}

static int setup(void **state)
{
	(void)state;
	last = 0x8000001f;
	features_ecx = 0x165;
	features_edx = 0x2c100800;
	missing_leaf = 0;
	svm_edx = 0x1;
	bits = 48;
	return 0;
}

static void assert_unmet(const char *name)
{
	const struct cpu_need *need = cpu_needs_unmet(cpuid, 0);

	assert_non_null(need);
	assert_string_equal(need->name, name);
	setup(NULL);
}

static void test_needs(void **state)
{
	(void)state;
	assert_null(cpu_needs_unmet(cpuid, 0));
	features_edx = 0x0c100800;
	assert_unmet("LM");
	features_edx = 0x2c000800;
	assert_unmet("NX");
	features_ecx = ~0x4u;
	assert_unmet("SVM");
	svm_edx = ~0x1u;
	assert_unmet("NPT");
	last = 0x80000009;
	assert_unmet("NPT");
	bits = 47;
	assert_unmet("48 bits");
	bits = 52;
	assert_null(cpu_needs_unmet(cpuid, 0));
}

#define V(major, minor) ((major) << 8 | (minor))

/* A processor that lacks one bit, and the version from which on that is one too few. */
static void test_versions(void **state)
{
	static const struct {
		uint32_t leaf, reg, bit, since;
		const char *name;
	} rows[] = {
		{ 1, 3, 16, 0, "PAT" },
		{ 1, 3, 25, 0, "SSE" },
		{ 0x80000001, 3, 11, 0, "SYSCALL" },
		{ 1, 2, 30, V(7, 2), "RDRAND" },
		{ 1, 2, 28, V(7, 2), "AVX" },
		{ 7, 1, 20, V(7, 2), "SMAP" },
		{ 0x80000001, 3, 26, V(7, 2), "1GBPAGE" },
		{ 7, 1, 29, V(10, 0), "SHA" },
		{ 7, 1, 18, V(10, 0), "RDSEED" },
		{ 7, 2, 22, V(10, 0), "RDPID" },
		{ 7, 3, 4, V(10, 0), "FSRM" },
		{ 0x80000001, 2, 8, V(10, 0), "PREFTCH" },
		{ 0x80000008, 1, 9, V(10, 0), "WBNOINV" },
	};
	static const uint32_t versions[] = { 0, V(7, 1), V(7, 2), V(9, 2), V(10, 0), V(11, 1) };
	const struct cpu_need *need;

	(void)state;
	for (size_t v = 0; v < sizeof(versions) / sizeof(versions[0]); v++) {
		setup(NULL);
		assert_null(cpu_needs_unmet(cpuid, versions[v]));
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			missing_leaf = rows[i].leaf;
			missing_register = rows[i].reg;
			missing_bit = rows[i].bit;
			need = cpu_needs_unmet(cpuid, versions[v]);
			if (versions[v] < rows[i].since) {
				assert_null(need);
				continue;
			}
			assert_non_null(need);
			assert_string_equal(need->name, rows[i].name);
			assert_int_equal(need->since, rows[i].since);
		}
	}
	/* A leaf that is beyond the last one has nothing. */
	setup(NULL);
	last = 0x80000007;
	need = cpu_needs_unmet(cpuid, 0);
	assert_non_null(need);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup(test_needs, setup),
					    cmocka_unit_test_setup(test_versions, setup) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
