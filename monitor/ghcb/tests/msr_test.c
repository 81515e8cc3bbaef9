/* SPDX-License-Identifier: MIT */
/*
 * The MSR protocol against a host of a few lines. Requests and answers are literals of GHCB
 * specification 56421, 2.3.1; MSR C001_0130 is the GHCB MSR.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "monitor/arch/arch.h"
#include "monitor/ghcb/ghcb.h"

#define GHCB_MSR 0xc0010130u
#define PAGE 0x1234567000ull
#define ASKS_MAX 4u

static struct cpu *cpu;
static uint64_t asked[ASKS_MAX];
static unsigned int asks;
static uint64_t features;
static uint64_t reply;
static jmp_buf host_gives_up;

static void host(void)
{
	asked[asks++] = cpu_read_msr(GHCB_MSR);
	if (asks == ASKS_MAX)
		longjmp(host_gives_up, 1);
	cpu_write_msr(GHCB_MSR, reply);
}

static int start(void **state)
{
	(void)state;
	cpu = fake_cpu_block();
	fake_cpu_reset(cpu);
	fake_cpu.off_block = true;
	fake_cpu.vmgexit = host;
	asks = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(cpu);
	return 0;
}

/* What the monitor asks for without end; 0 when it goes on. */
static uint64_t termination(uint64_t info)
{
	reply = info;
	asks = 0;
	if (setjmp(host_gives_up) == 0) {
		arch_host_negotiate();
		assert_int_equal(asks, 1);
		return 0;
	}
	assert_int_equal(asked[1], asked[2]);
	assert_int_equal(asked[2], asked[3]);
	return asked[1];
}

static void a_host_must_speak_version_2(void **state)
{
	(void)state;
	/* Highest version in 63:48, lowest in 47:32, the C-bit's place in 31:24. */
	assert_int_equal(termination(0x0002000133000001), 0);
	assert_int_equal(asked[0], 0x002);
	assert_int_equal(termination(0x0002000233000001), 0);
	assert_int_equal(termination(0x0005000133000001), 0);
	/* Reason set 0, code 1: the protocol range is not supported. */
	assert_int_equal(termination(0x0001000133000001), 0x10100);
	assert_int_equal(termination(0x0005000333000001), 0x10100);
	assert_int_equal(termination(0x0002000133000002), 0x10100);
	assert_int_equal(termination(0x0002000133000011), 0x10100);
	assert_int_equal(termination(0), 0x10100);
}

static void features_are_taken_from_the_right_answer_only(void **state)
{
	(void)state;
	reply = 0x2f081;
	assert_true(arch_host_suffices(&features));
	assert_int_equal(features, 0x2f);
	assert_int_equal(asked[0], 0x080);
	reply = 0xfffffffffffff081;
	assert_true(arch_host_suffices(&features));
	assert_int_equal(features, 0xfffffffffffff);
	reply = 0x2f080;
	assert_false(arch_host_suffices(&features));
	assert_int_equal(features, 0);
}

/* SNP, AP creation, restricted injection, several VMPLs. */
static void a_host_has_all_that_is_needed_or_does_not_suffice(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 6; bit++) {
		asks = 0;
		reply = (0xfffffffffffffull & ~(1ull << bit)) << 12 | 0x081;
		assert_int_equal(arch_host_suffices(&features), !(0x27u >> bit & 1));
	}
}

static void a_page_changes_when_the_host_says_so(void **state)
{
	(void)state;
	reply = 0x015;
	assert_true(ghcb_page_state(gpa(PAGE), true));
	assert_int_equal(asked[0], 0x0010001234567014); /* operation 55:52: 1 private */
	assert_true(ghcb_page_state(gpa(PAGE), false));
	assert_int_equal(asked[1], 0x0020001234567014); /* 2 shared */
	/* Bits 51:12 of the address, and nothing of it in the operation. */
	assert_true(ghcb_page_state(gpa(0xffffffffffffffff), false));
	assert_int_equal(asked[2], 0x002ffffffffff014);
}

static void a_page_does_not_change_otherwise(void **state)
{
	(void)state;
	reply = 0x0000000100000015; /* an error code in 63:32 */
	assert_false(ghcb_page_state(gpa(PAGE), true));
	reply = 0x8000000000000015;
	assert_false(ghcb_page_state(gpa(PAGE), true));
	reply = 0x014;
	assert_false(ghcb_page_state(gpa(PAGE), true));
}

static void a_page_is_registered_when_the_host_names_it(void **state)
{
	(void)state;
	reply = PAGE | 0x013;
	assert_true(ghcb_register(gpa(PAGE)));
	assert_int_equal(asked[0], PAGE | 0x012);
	reply = 0xfffffffffffff013;
	assert_false(ghcb_register(gpa(PAGE)));
	reply = PAGE | 0x012;
	assert_false(ghcb_register(gpa(PAGE)));
}

/* The next exit uses the page, so the MSR must not be left as the answer to a request. */
static void the_msr_names_the_page_again(void **state)
{
	static struct ghcb page;

	(void)state;
	reply = 0x2f081;
	cpu->ghcb_page = gpa(PAGE);
	cpu->ghcb = &page;
	fake_cpu.off_block = false;
	assert_true(arch_host_suffices(&features));
	assert_int_equal(cpu_read_msr(GHCB_MSR), PAGE);

	/* On the boot stack there is no vCPU to ask, and without a page nothing to name. */
	fake_cpu.off_block = true;
	(void)arch_host_suffices(&features);
	assert_int_equal(cpu_read_msr(GHCB_MSR), 0x2f081);
	fake_cpu.off_block = false;
	cpu->ghcb = NULL;
	(void)arch_host_suffices(&features);
	assert_int_equal(cpu_read_msr(GHCB_MSR), 0x2f081);
}

static void the_end_is_asked_for_until_it_comes(void **state)
{
	(void)state;
	reply = 0;
	if (setjmp(host_gives_up) == 0)
		ghcb_terminate(0x12, 0xaa); /* a set has four bits, and 16 is the code's */
	for (unsigned int i = 0; i < ASKS_MAX; i++)
		assert_int_equal(asked[i], 0xaa2100);
	assert_int_equal(fake_cpu.halts, ASKS_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_host_must_speak_version_2, start, end),
		cmocka_unit_test_setup_teardown(features_are_taken_from_the_right_answer_only,
						start, end),
		cmocka_unit_test_setup_teardown(a_host_has_all_that_is_needed_or_does_not_suffice,
						start, end),
		cmocka_unit_test_setup_teardown(a_page_changes_when_the_host_says_so, start, end),
		cmocka_unit_test_setup_teardown(a_page_does_not_change_otherwise, start, end),
		cmocka_unit_test_setup_teardown(a_page_is_registered_when_the_host_names_it, start,
						end),
		cmocka_unit_test_setup_teardown(the_msr_names_the_page_again, start, end),
		cmocka_unit_test_setup_teardown(the_end_is_asked_for_until_it_comes, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
