/* SPDX-License-Identifier: MIT */
/* Each need by itself; the values are those of QEMU's EPYC-Milan with svm, npt and phys-bits=48. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "machine/hv/base/log.h"
#include "machine/hv/run/cpu_needs.h"

static uint32_t last, features_ecx, features_edx, svm_edx, bits;

void hv_stop(enum mailbox_stop reason, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	(void)reason, (void)a, (void)b, (void)c, (void)d;
	abort();
}

static struct x86_cpuid cpuid(uint32_t leaf)
{
	switch (leaf) {
	case 0x80000000:
		return (struct x86_cpuid){ .eax = last };
	case 0x80000001:
		return (struct x86_cpuid){ .ecx = features_ecx, .edx = features_edx };
	case 0x8000000a:
		return (struct x86_cpuid){ .edx = svm_edx };
	case 0x80000008:
		return (struct x86_cpuid){ .eax = 0x3000 | bits };
	default:
		return (struct x86_cpuid){ ~0u, ~0u, ~0u, ~0u };
	}
}

static int setup(void **state)
{
	(void)state;
	last = 0x8000001f;
	features_ecx = 0x4;
	features_edx = 0x20100000;
	svm_edx = 0x1;
	bits = 48;
	return 0;
}

static void assert_unmet(const char *name)
{
	const struct cpu_need *need = cpu_needs_unmet(cpuid);

	assert_non_null(need);
	assert_string_equal(need->name, name);
	setup(NULL);
}

static void test_needs(void **state)
{
	(void)state;
	assert_null(cpu_needs_unmet(cpuid));
	features_edx = 0x00100000;
	assert_unmet("LM");
	features_edx = 0x20000000;
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
	assert_null(cpu_needs_unmet(cpuid));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup(test_needs, setup) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
