/* SPDX-License-Identifier: MIT */
/* The small ones of arch.h. SEV_STATUS, MSR C001_0131, holds SEV_FEATURES from bit 2 on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "monitor/arch/arch.h"
#include "monitor/ghcb/ghcb.h"

static jmp_buf over;

_Noreturn void ghcb_terminate(uint8_t set, uint8_t code)
{
	check_expected(set);
	check_expected(code);
	longjmp(over, 1);
}

static void a_vcpu_is_known_by_its_block(void **state)
{
	struct cpu *cpu = fake_cpu_block();

	(void)state;
	fake_cpu_reset(cpu);
	cpu->index = 3;
	assert_int_equal(arch_cpu_index(), 3);
	fake_cpu.off_block = true; /* still on the boot stack, where the first one is alone */
	assert_int_equal(arch_cpu_index(), 0);
	free(cpu);
}

/* A guest's vCPU has what ours have, but plain interrupts (restricted injection is bit 3). */
static void a_guest_has_our_features_but_one(void **state)
{
	(void)state;
	fake_cpu_reset(NULL);
	cpu_write_msr(0xc0010131, 0x1u << 0 | 1u << 1 | 0xa9u << 2);
	assert_int_equal(arch_sev_features(), 0xa9);
	assert_int_equal(arch_guest_sev_features(), 0xa1);
	cpu_write_msr(0xc0010131, 0x3u | 0x81u << 2);
	assert_int_equal(arch_guest_sev_features(), 0x81);
}

/* And alternate injection, bit 4, while its APIC is ours. */
static void a_guest_has_alternate_injection_when_it_is_to(void **state)
{
	(void)state;
	fake_cpu_reset(NULL);
	cpu_write_msr(0xc0010131, 0x3u | 0x9u << 2);
	arch_guest_alternate(true);
	assert_int_equal(arch_guest_sev_features(), 0x11);
	assert_int_equal(arch_sev_features(), 0x9);
	arch_guest_alternate(false);
	assert_int_equal(arch_guest_sev_features(), 0x1);
}

/* Reason set 2 is Socle's. */
static void the_end_is_asked_for_with_our_reason(void **state)
{
	(void)state;
	expect_value(ghcb_terminate, set, 2);
	expect_value(ghcb_terminate, code, 9);
	if (setjmp(over) == 0)
		arch_terminate(9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vcpu_is_known_by_its_block),
		cmocka_unit_test(a_guest_has_our_features_but_one),
		cmocka_unit_test(a_guest_has_alternate_injection_when_it_is_to),
		cmocka_unit_test(the_end_is_asked_for_with_our_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
