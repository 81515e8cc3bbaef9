/* SPDX-License-Identifier: MIT */
/* #VC of ring 3: CPUID is 0F A2 (APM volume 3), its exit code 72h (APM volume 2, appendix C). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/cpu/cpuid.h"
#include "monitor/trap/trap.h"
#include "monitor/trap/user.h"

#define CPUID_EXIT 0x72u
#define RIP 0x401000ull

static struct cpu *cpu;
static struct user_context user;
static struct address_space space;
static uint8_t code[2];
static bool readable;

bool space_read(const struct address_space *from, void *to, va_t at, size_t size)
{
	assert_ptr_equal(from, &space);
	assert_int_equal(at.raw, RIP);
	assert_int_equal(size, 2);
	memcpy(to, code, 2);
	return readable;
}

struct cpuid_result cpuid_for_service(uint32_t leaf, uint32_t subleaf, uint32_t apic_id)
{
	assert_int_equal(leaf, 0x80000008);
	assert_int_equal(subleaf, 0x12345678);
	assert_int_equal(apic_id, 5);
	return (struct cpuid_result){ 0xf0000001, 0xf0000002, 0xf0000003, 0xf0000004 };
}

static const struct trap_frame before = {
	.rax = 0xffffffff80000008,
	.rbx = 7,
	.rcx = 0xaaaaaaaa12345678,
	.rdx = 9,
	.rsi = 11,
	.error = CPUID_EXIT,
	.vector = 29,
	.rip = RIP,
	.cs = 0x23,
};

static int start(void **state)
{
	(void)state;
	cpu = fake_cpu_block();
	fake_cpu_reset(cpu);
	cpu->index = 5;
	user.space = &space;
	cpu->user = &user;
	code[0] = 0x0f;
	code[1] = 0xa2;
	readable = true;
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(cpu);
	return 0;
}

static void cpuid_is_answered_from_the_page(void **state)
{
	struct trap_frame frame = before, after = before;

	(void)state;
	assert_true(vc_handle(&frame));
	/* As the instruction does: the upper halves are cleared, and it is two bytes long. */
	after.rax = 0xf0000001;
	after.rbx = 0xf0000002;
	after.rcx = 0xf0000003;
	after.rdx = 0xf0000004;
	after.rip = RIP + 2;
	assert_memory_equal(&frame, &after, sizeof(frame));
}

static void unchanged(uint64_t error)
{
	struct trap_frame frame = before, after;

	frame.error = error;
	after = frame;
	assert_false(vc_handle(&frame));
	assert_memory_equal(&frame, &after, sizeof(frame));
}

static void nothing_else_is_answered(void **state)
{
	(void)state;
	unchanged(0x7b);
	unchanged(0x403);
	unchanged(0x100000072);
	code[0] = 0x0e;
	unchanged(CPUID_EXIT);
	code[0] = 0x0f;
	code[1] = 0xa3;
	unchanged(CPUID_EXIT);
	code[1] = 0xa2;
	readable = false;
	unchanged(CPUID_EXIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cpuid_is_answered_from_the_page, start, end),
		cmocka_unit_test_setup_teardown(nothing_else_is_answered, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
