/* SPDX-License-Identifier: MIT */
/*
 * Which frames are lost. In 64-bit mode the CPU aligns the IST pointer and pushes SS, RSP, RFLAGS,
 * CS, RIP, 40 bytes (APM volume 2, 8.9.3 and figure 8-13), so the last exception on a stack has its
 * RIP at the top less 40.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/trap/trap.h"
#include "monitor/trap/user_asm.h"

#define HV 28u
#define NMI 2u
#define VC 29u
#define DB 1u
#define KERNEL_CS 0x08u
#define USER_CS 0x23u
#define RUN_STACK 0x5f00u
#define HV_TOP 0x8000u
#define NMI_TOP 0xa000u
#define VC_TOP 0xc000u
#define DEBUG_TOP 0x10000u
#define SOMEWHERE 0xffffffff80001234ull

/* SYSCALL's entry as entry.S has it: swapgs, two moves of nine bytes, and then the right stack. */
__asm__(".globl trap_syscall, trap_syscall_stacked\n"
	"trap_syscall: .skip 21\n"
	"trap_syscall_stacked: .skip 8\n");

static struct cpu *cpu;

static int set_up(void **state)
{
	(void)state;
	cpu = fake_cpu_block();
	fake_cpu_reset(cpu);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(cpu);
	return 0;
}

static uint64_t at(uint64_t offset)
{
	return (uint64_t)(uintptr_t)cpu + offset;
}

static struct trap_frame frame_of(uint64_t vector, uint64_t rip, uint64_t cs, uint64_t rsp)
{
	return (struct trap_frame){ .vector = vector, .rip = rip, .cs = cs, .rsp = rsp };
}

/* What the CPU pushed for the handler on that stack. */
static void push(uint64_t top, uint64_t rip, uint64_t cs, uint64_t rsp)
{
	uint64_t words[5] = { rip, cs, 2, rsp, 0 };

	memcpy((uint8_t *)cpu + top - sizeof(words), words, sizeof(words));
}

static bool overwrites(uint64_t vector, uint64_t rip, uint64_t rsp)
{
	struct trap_frame frame = frame_of(vector, rip, KERNEL_CS, rsp);

	return trap_overwrites(cpu, &frame);
}

static void each_vector_has_its_stack(void **state)
{
	(void)state;
	assert_int_equal(trap_ist(HV), IST_HV);
	assert_int_equal(trap_ist(NMI), IST_NMI);
	assert_int_equal(trap_ist(VC), IST_VC);
	assert_int_equal(trap_ist(DB), IST_DEBUG);
	assert_int_equal(trap_ist(8), IST_FATAL);
	assert_int_equal(trap_ist(18), IST_FATAL);
	assert_int_equal(trap_ist(14), IST_NONE);
	assert_int_equal(trap_ist(13), IST_NONE);
}

static void the_run_loop_may_be_interrupted(void **state)
{
	(void)state;
	assert_false(overwrites(HV, SOMEWHERE, at(RUN_STACK)));
	assert_false(overwrites(NMI, SOMEWHERE, at(RUN_STACK)));
	assert_false(overwrites(14, SOMEWHERE, at(HV_TOP - 0x100)));
}

static void a_handler_may_be_interrupted_by_others_alone(void **state)
{
	(void)state;
	push(HV_TOP, SOMEWHERE, KERNEL_CS, at(RUN_STACK));
	push(NMI_TOP, SOMEWHERE, KERNEL_CS, at(RUN_STACK));
	assert_true(overwrites(HV, SOMEWHERE, at(HV_TOP - 0x100)));
	assert_true(overwrites(NMI, SOMEWHERE, at(NMI_TOP - 0x100)));
	assert_false(overwrites(NMI, SOMEWHERE, at(HV_TOP - 0x100)));
	assert_false(overwrites(HV, SOMEWHERE, at(NMI_TOP - 0x100)));
	/* Its first and its last instruction: the whole frame is still on the stack. */
	assert_true(overwrites(HV, SOMEWHERE, at(HV_TOP - 40)));
	/* The lowest byte of the page, and the guard below it, which is no stack. */
	assert_true(overwrites(HV, SOMEWHERE, at(HV_TOP - 0x1000)));
	assert_false(overwrites(HV, SOMEWHERE, at(HV_TOP - 0x1001)));
}

/* #HV, in its handler NMI, in its handler #HV again: RSP alone does not show it. */
static void it_is_found_through_other_handlers(void **state)
{
	(void)state;
	push(HV_TOP, SOMEWHERE, KERNEL_CS, at(RUN_STACK));
	push(NMI_TOP, SOMEWHERE, KERNEL_CS, at(HV_TOP - 0x100));
	assert_true(overwrites(HV, SOMEWHERE, at(NMI_TOP - 0x100)));
	assert_false(overwrites(VC, SOMEWHERE, at(NMI_TOP - 0x100)));
	push(VC_TOP, SOMEWHERE, KERNEL_CS, at(NMI_TOP - 0x100));
	assert_true(overwrites(HV, SOMEWHERE, at(VC_TOP - 0x100)));
	assert_true(overwrites(NMI, SOMEWHERE, at(VC_TOP - 0x100)));
	assert_false(overwrites(DB, SOMEWHERE, at(VC_TOP - 0x100)));
}

static void a_handler_of_ring_3_ends_the_chain(void **state)
{
	(void)state;
	push(VC_TOP, 0x400000, USER_CS, at(HV_TOP - 0x100));
	assert_false(overwrites(HV, SOMEWHERE, at(VC_TOP - 0x100)));
	assert_true(overwrites(VC, SOMEWHERE, at(VC_TOP - 0x100)));
}

/* Up to its last instruction; the one behind it has a stack of ring 0. */
static void no_stack_pointer_counts_in_the_syscall_gap(void **state)
{
	static const uint64_t tops[] = { HV_TOP, NMI_TOP, VC_TOP, DEBUG_TOP };
	static const unsigned int vectors[] = { HV, NMI, VC, DB };
	uint64_t entry = (uint64_t)(uintptr_t)trap_syscall;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t rsp = at(tops[i] - 0x100);

		assert_false(overwrites(vectors[i], entry, rsp));
		assert_false(overwrites(vectors[i], entry + 3, rsp));
		assert_false(overwrites(vectors[i], entry + 20, rsp));
		assert_true(overwrites(vectors[i], entry + 21, rsp));
		assert_true(overwrites(vectors[i], entry - 1, rsp));
	}
}

/* The same when the gap is what an outer handler interrupted. */
static void nor_in_a_frame_of_the_chain(void **state)
{
	(void)state;
	push(NMI_TOP, (uint64_t)(uintptr_t)trap_syscall + 3, KERNEL_CS, at(HV_TOP - 0x100));
	assert_false(overwrites(HV, SOMEWHERE, at(NMI_TOP - 0x100)));
}

static void a_chain_without_end_is_a_lost_frame(void **state)
{
	(void)state;
	push(NMI_TOP, SOMEWHERE, KERNEL_CS, at(VC_TOP - 0x100));
	push(VC_TOP, SOMEWHERE, KERNEL_CS, at(NMI_TOP - 0x100));
	assert_true(overwrites(HV, SOMEWHERE, at(NMI_TOP - 0x100)));
}

/* Every RSP that a service can have is the service's: its code has CS with RPL 3. */
static void ring_3_overwrites_nothing(void **state)
{
	struct trap_frame frame = frame_of(HV, 0x400000, USER_CS, at(HV_TOP - 0x100));

	(void)state;
	assert_false(trap_overwrites(cpu, &frame));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_vector_has_its_stack, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_run_loop_may_be_interrupted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_handler_may_be_interrupted_by_others_alone,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_is_found_through_other_handlers, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_handler_of_ring_3_ends_the_chain, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(no_stack_pointer_counts_in_the_syscall_gap, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(nor_in_a_frame_of_the_chain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_chain_without_end_is_a_lost_frame, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(ring_3_overwrites_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
