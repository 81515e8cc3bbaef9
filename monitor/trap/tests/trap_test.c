/* SPDX-License-Identifier: MIT */
/*
 * What becomes of each exception. Vectors and which of them push an error code: APM volume 2, 8.2;
 * #HV is 28, #VC is 29 (15.36.16 and 15.35.5), and the exit code of CPUID is 72h (appendix C).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/base/die.h"
#include "monitor/base/extable.h"
#include "monitor/trap/trap.h"
#include "monitor/trap/user_asm.h"

#define HV 28u
#define VC 29u
#define NMI 2u
#define DB 1u
#define PF 14u
#define GP 13u
#define UD 6u
#define KERNEL_CS 0x08u
#define USER_CS 0x23u
#define RUN_STACK 0x5f00u
#define SOMEWHERE 0xffffffff80001234ull

__asm__(".globl extable_begin, extable_end\n"
	".pushsection .data\n"
	".balign 8\n"
	"extable_begin: .quad 0x1000, 0x1100, 0x20004000, 0x2000, 0x2200, 0x20000040\n"
	"extable_end:\n"
	".popsection\n");

static struct cpu *cpu;
static struct user_context context;

enum outcome { BACK, LEFT, DIED };

static struct {
	jmp_buf out;
	struct trap_frame left; /* with which ring 3 was left */
	enum user_exit value;
	enum die_reason reason;
	char why[200];
	bool cpuid_fails, is_call;
} t;

_Noreturn void user_leave_ring3(const struct trap_frame *frame, enum user_exit value)
{
	t.left = *frame;
	t.value = value;
	longjmp(t.out, LEFT);
}

_Noreturn void die(enum die_reason reason, const char *why)
{
	t.reason = reason;
	strncpy(t.why, why, sizeof(t.why) - 1);
	longjmp(t.out, DIED);
}

bool vc_handle(struct trap_frame *frame)
{
	frame->rip += 2;
	return !t.cpuid_fails;
}

bool syscall_take(struct trap_frame *frame)
{
	if (t.is_call)
		frame->rip += 2;
	return t.is_call;
}

static int set_up(void **state)
{
	(void)state;
	cpu = fake_cpu_block();
	fake_cpu_reset(cpu);
	memset(&t, 0, sizeof(t));
	memset(&context, 0, sizeof(context));
	cpu->user = &context;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(cpu);
	return 0;
}

static enum outcome handle(struct trap_frame *frame)
{
	int outcome = setjmp(t.out);

	if (outcome)
		return (enum outcome)outcome;
	trap_handle(frame);
	return BACK;
}

static struct trap_frame kernel_frame(uint64_t vector, uint64_t rip)
{
	return (struct trap_frame){
		.vector = vector,
		.rip = rip,
		.cs = KERNEL_CS,
		.rsp = (uint64_t)(uintptr_t)cpu + RUN_STACK,
	};
}

static struct trap_frame user_frame(uint64_t vector)
{
	return (struct trap_frame){
		.vector = vector,
		.error = 5,
		.rip = 0x401000,
		.cs = USER_CS,
		.rsp = (uint64_t)(uintptr_t)cpu + RUN_STACK,
	};
}

static void a_system_call_leaves_ring_3(void **state)
{
	struct trap_frame frame = user_frame(UD);

	(void)state;
	t.is_call = true;
	assert_int_equal(handle(&frame), LEFT);
	assert_int_equal(t.value, USER_EXIT_SYSCALL);
	assert_int_equal(t.left.rip, 0x401002);
	assert_memory_equal(&t.left, &frame, sizeof(frame));
}

/* Nobody makes one in ring 0. */
static void undefined_in_ring_0_is_no_system_call(void **state)
{
	struct trap_frame frame = kernel_frame(UD, SOMEWHERE);

	(void)state;
	t.is_call = true;
	assert_int_equal(handle(&frame), DIED);
	assert_int_equal(t.reason, DIE_EXCEPTION);
}

/* None of them goes back by the IRET of its handler, which looks for no event and no deadline. */
static void whatever_leads_out_of_ring_3_leaves_it(void **state)
{
	static const uint64_t vectors[] = { HV, NMI, VC };

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		struct trap_frame frame = user_frame(vectors[i]);

		assert_int_equal(handle(&frame), LEFT);
		assert_int_equal(t.value, USER_EXIT_AGAIN);
		assert_int_equal(t.left.rip, vectors[i] == VC ? 0x401002 : 0x401000);
	}
}

static void a_fault_is_the_services(void **state)
{
	(void)state;
	fake_cpu.cr2 = 0x1234;
	for (uint64_t vector = 0; vector < 32; vector++) {
		struct trap_frame frame = user_frame(vector);

		t.cpuid_fails = true;
		if (vector == HV || vector == NMI)
			continue;
		assert_int_equal(handle(&frame), LEFT);
		assert_int_equal(t.value, USER_EXIT_FAULT);
		assert_int_equal(context.fault.vector, vector);
		assert_int_equal(context.fault.error, 5);
		assert_int_equal(context.fault.address, vector == PF ? 0x1234 : 0);
	}
}

static void an_nmi_means_nothing(void **state)
{
	struct trap_frame frame = kernel_frame(NMI, SOMEWHERE);

	(void)state;
	assert_int_equal(handle(&frame), BACK);
	assert_int_equal(frame.rip, SOMEWHERE);
}

/* The first may raise #PF and #VC, the second #UD and #VC. */
static void an_instruction_that_may_fault_goes_on_elsewhere(void **state)
{
	static const struct {
		uint64_t vector, rip, to; /* to 0: the end */
	} cases[] = {
		{ PF, 0x1000, 0x1100 }, { VC, 0x1000, 0x1100 }, { UD, 0x1000, 0 },
		{ PF, 0x2000, 0 },	{ VC, 0x2000, 0x2200 }, { UD, 0x2000, 0x2200 },
		{ PF, 0x1001, 0 },	{ VC, 0x1fff, 0 },	{ GP, 0x1000, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trap_frame frame = kernel_frame(cases[i].vector, cases[i].rip);

		assert_int_equal(handle(&frame), cases[i].to ? BACK : DIED);
		assert_int_equal(frame.rip, cases[i].to ? cases[i].to : cases[i].rip);
	}
}

static void other_exceptions_of_ring_0_are_the_end(void **state)
{
	struct trap_frame frame = kernel_frame(GP, 0x3000), taken = kernel_frame(VC, 0x3000);

	(void)state;
	frame.error = 0x18;
	fake_cpu.cr2 = 0xabc;
	assert_int_equal(handle(&frame), DIED);
	assert_int_equal(t.reason, DIE_EXCEPTION);
	assert_non_null(strstr(t.why, "exception 13 in ring 0, error 0x18 at 0x3000 stack 0x"));
	assert_non_null(strstr(t.why, " address 0xabc"));
	assert_int_equal(handle(&taken), DIED);
	assert_int_equal(t.reason, DIE_NOT_VALIDATED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_system_call_leaves_ring_3),
		TEST(undefined_in_ring_0_is_no_system_call),
		TEST(whatever_leads_out_of_ring_3_leaves_it),
		TEST(a_fault_is_the_services),
		TEST(an_nmi_means_nothing),
		TEST(an_instruction_that_may_fault_goes_on_elsewhere),
		TEST(other_exceptions_of_ring_0_are_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
