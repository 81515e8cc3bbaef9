/* SPDX-License-Identifier: MIT */
/*
 * The way into ring 3 and out of it, with a script in the place of the service: what is loaded, and
 * that the deadline ends it whatever leads out of ring 3 and whatever becomes of the timer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/arch.h"
#include "monitor/base/cpu_ops.h"
#include "monitor/trap/user_asm.h"

#define MS 1000000ull
#define S (1000 * MS)
#define ENTRY 0x401000u
#define STACK 0x7ffffff0u
#define SPACE_CR3 0x8000000005000ull
#define KERNEL_CR3 0x8000000001000ull

static struct cpu *cpu;
static struct user_context context;
static struct address_space space;

static struct {
	uint64_t now_ns;
	uint64_t run_ns; /* how long ring 3 runs before it is left */
	enum user_exit result;
	unsigned int entries, ends_at; /* after so many entries the result is SYSCALL */
	bool tick;		       /* the timer's event led out of ring 3 */
	bool refuses;		       /* the host refuses the timer */
	unsigned int armed, closed, polls;
	uint64_t period_ns;
	struct trap_frame regs;
	uint64_t cr3;
	uint8_t fx_found[512] __attribute__((aligned(16))); /* x87 and SSE as ring 3 finds them */
	uint8_t fx_left[512] __attribute__((aligned(16)));  /* and leaves them, if it does */
	bool leaves_fx;
	uint64_t leaves_rip; /* 0: where it was */
	enum user_exit returned;
} t;

static jmp_buf left_ring_3;

uint64_t arch_now_ns(void)
{
	return t.now_ns;
}

bool arch_poll_events(struct cpu *self)
{
	bool signalled = cpu->signals != 0;

	assert_ptr_equal(self, cpu);
	t.polls++;
	if (signalled && t.tick)
		cpu->tick = true;
	cpu->signals = 0;
	return signalled;
}

void arch_timer_arm(struct cpu *self, uint64_t deadline_ns, uint64_t period_ns)
{
	t.armed++;
	t.period_ns = period_ns;
	self->timer_period_ns = period_ns;
	self->timer_deadline = t.refuses ? 0 : deadline_ns;
}

void arch_host_close(struct cpu *self)
{
	assert_ptr_equal(self, cpu);
	t.closed++;
}

uint64_t space_cr3(const struct address_space *of)
{
	assert_ptr_equal(of, &space);
	return SPACE_CR3;
}

uint64_t map_kernel_cr3(void)
{
	return KERNEL_CR3;
}

_Noreturn void user_return(enum user_exit value)
{
	t.returned = value;
	longjmp(left_ring_3, 1);
}

static enum user_exit run_script(struct cpu *self, const struct trap_frame *regs)
{
	assert_ptr_equal(self, cpu);
	assert_ptr_equal(cpu->user, &context);
	assert_int_equal(t.closed, t.entries + 1);
	assert_int_equal(t.polls, t.entries + 1);
	t.regs = *regs;
	t.cr3 = fake_cpu.cr3;
	if (t.leaves_rip)
		context.regs.rip = t.leaves_rip;
	t.now_ns += t.run_ns;
	t.entries++;
	cpu->signals = t.tick;
	if (t.entries == t.ends_at)
		return USER_EXIT_SYSCALL;
	assert_true(t.entries < 100000);
	return t.result;
}

enum user_exit user_resume(struct cpu *self, const struct trap_frame *regs)
{
	enum user_exit result;

	/* First and last, for this test's own code uses the registers too. */
	__asm__ volatile("fxsave64 %0" : "=m"(t.fx_found));
	result = run_script(self, regs);
	if (t.leaves_fx)
		__asm__ volatile("fxrstor64 %0" : : "m"(t.fx_left));
	return result;
}

static int set_up(void **state)
{
	(void)state;
	cpu = fake_cpu_block();
	fake_cpu_reset(cpu);
	memset(&t, 0, sizeof(t));
	t.now_ns = 1000 * S;
	t.ends_at = 1;
	cpu->cr3 = KERNEL_CR3;
	user_context_init(&context, &space, (va_t){ ENTRY }, (va_t){ STACK });
	(void)user_now_ns(); /* the time before the test counts for nothing */
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(cpu);
	return 0;
}

static void set_deadline(uint64_t in_ns)
{
	context.deadline_ns = user_now_ns() + in_ns;
}

/* How long the service was in ring 3, from here to its end by the deadline. */
static uint64_t run_to_deadline(void)
{
	uint64_t start = t.now_ns;

	t.ends_at = 0;
	assert_int_equal(user_enter(&context), USER_EXIT_DEADLINE);
	assert_null(cpu->user);
	return t.now_ns - start;
}

static void it_starts_as_a_process_does(void **state)
{
	(void)state;
	context.fs_base = 0x5000;
	assert_int_equal(user_enter(&context), USER_EXIT_SYSCALL);
	assert_int_equal(t.regs.rip, ENTRY);
	assert_int_equal(t.regs.rsp, STACK);
	assert_int_equal(t.regs.rflags, 2);
	assert_int_equal(t.cr3, SPACE_CR3);
	assert_int_equal(cpu->cr3, SPACE_CR3);
	assert_int_equal(cpu_read_msr(0xc0000100), 0x5000); /* FS.base */
	assert_int_equal(fake_cpu.selectors_cleared, 1);
	assert_null(cpu->user);
}

/* RFLAGS bits by APM volume 1, 3.1.4: CF PF AF ZF SF OF, DF, AC and ID are the service's. */
static void flags_that_are_ring_0s_are_taken_away(void **state)
{
	(void)state;
	context.regs.rflags = UINT64_MAX;
	(void)user_enter(&context);
	assert_int_equal(t.regs.rflags, 0x240cd7);
}

static void a_space_is_loaded_when_it_changed(void **state)
{
	(void)state;
	(void)user_enter(&context);
	t.entries = t.closed = t.polls = 0;
	(void)user_enter(&context);
	assert_int_equal(fake_cpu.cr3_writes, 1);
	space.generation++;
	t.entries = t.closed = t.polls = 0;
	(void)user_enter(&context);
	assert_int_equal(fake_cpu.cr3_writes, 2);
	user_leave();
	assert_int_equal(fake_cpu.cr3, KERNEL_CR3);
	assert_int_equal(fake_cpu.cr3_writes, 3);
	user_leave();
	assert_int_equal(fake_cpu.cr3_writes, 3);
}

/* Addresses from the end of the lower half on; the one that IRET takes must be below. */
static void an_address_that_is_none_is_a_fault(void **state)
{
	(void)state;
	context.regs.rip = 0x800000000000ull;
	assert_int_equal(user_enter(&context), USER_EXIT_FAULT);
	assert_int_equal(context.fault.vector, 13);
	context.regs.rip = ENTRY;
	context.fs_base = 0x8000000000000000ull;
	assert_int_equal(user_enter(&context), USER_EXIT_FAULT);
	context.fs_base = 0x800000000000ull; /* the first; WRMSR would fault in ring 0 */
	assert_int_equal(user_enter(&context), USER_EXIT_FAULT);
	assert_int_equal(t.entries, 0);
	context.fs_base = SPACE_USER_MAX - 1;
	assert_int_equal(user_enter(&context), USER_EXIT_SYSCALL);
}

/* #HV, or CPUID at the very end of the lower half, and then there is nothing to go on with. */
static void an_address_that_it_leads_itself_to_is_a_fault(void **state)
{
	(void)state;
	t.result = USER_EXIT_AGAIN;
	t.ends_at = 0;
	t.leaves_rip = SPACE_USER_MAX;
	assert_int_equal(user_enter(&context), USER_EXIT_FAULT);
	assert_int_equal(context.fault.vector, 13);
	assert_int_equal(t.entries, 1);
}

static void a_fault_is_told(void **state)
{
	(void)state;
	t.result = USER_EXIT_FAULT;
	t.ends_at = 0;
	assert_int_equal(user_enter(&context), USER_EXIT_FAULT);
	assert_int_equal(t.entries, 1);
}

/* FXSAVE64's image (APM volume 1, 11.4.4): FCW at 0, FTW at 4, MXCSR at 24, XMM0 at 160. */
static void its_floating_point_state_is_a_new_process_s(void **state)
{
	static const uint8_t zeros[256];

	(void)state;
	assert_int_equal(user_enter(&context), USER_EXIT_SYSCALL);
	assert_memory_equal(t.fx_found, "\x7f\x03\0\0\0", 5);
	assert_memory_equal(t.fx_found + 24, "\x80\x1f\0\0", 4);
	assert_memory_equal(t.fx_found + 160, zeros, 256);
}

/* What it leaves in the registers it finds there again, whatever else used them meanwhile. */
static void its_floating_point_state_is_kept(void **state)
{
	(void)state;
	(void)user_enter(&context);
	memcpy(t.fx_left, t.fx_found, sizeof(t.fx_left));
	memset(t.fx_left + 160, 0xc3, 256);
	t.fx_left[1] = 0x0f;  /* rounds to zero */
	t.fx_left[25] = 0x9f; /* flushes to zero */
	t.leaves_fx = true;
	t.entries = t.closed = t.polls = 0;
	(void)user_enter(&context);
	assert_memory_equal(context.fx, t.fx_left, 28);
	assert_memory_equal(context.fx + 160, t.fx_left + 160, 256);

	t.leaves_fx = false;
	memset(t.fx_found, 0, sizeof(t.fx_found));
	__asm__ volatile("pxor %%xmm0, %%xmm0\n pxor %%xmm9, %%xmm9" : : : "xmm0", "xmm9");
	t.entries = t.closed = t.polls = 0;
	(void)user_enter(&context);
	assert_memory_equal(t.fx_found, t.fx_left, 28);
	assert_memory_equal(t.fx_found + 160, t.fx_left + 160, 256);
	/* And the test goes on as any program. */
	user_context_init(&context, &space, (va_t){ ENTRY }, (va_t){ STACK });
	t.entries = t.closed = t.polls = 0;
	(void)user_enter(&context);
}

static void its_registers_are_kept(void **state)
{
	static const struct trap_frame frame = {
		.r15 = 15,
		.r14 = 14,
		.r13 = 13,
		.r12 = 12,
		.r11 = 11,
		.r10 = 10,
		.r9 = 9,
		.r8 = 8,
		.rbp = 7,
		.rdi = 6,
		.rsi = 5,
		.rdx = 4,
		.rcx = 3,
		.rbx = 2,
		.rax = 1,
		.rip = 16,
		.rflags = 17,
		.rsp = 18,
		.cs = 0x23,
		.ss = 0x1b,
	};

	(void)state;
	cpu->user = &context;
	if (setjmp(left_ring_3) == 0)
		user_leave_ring3(&frame, USER_EXIT_SYSCALL);
	assert_int_equal(t.returned, USER_EXIT_SYSCALL);
	assert_memory_equal(&context.regs, &frame, sizeof(frame));
}

/* On the boot stack there is no vCPU yet that could be in a service's space. */
static void nothing_is_left_before_there_is_a_block(void **state)
{
	(void)state;
	cpu->cr3 = SPACE_CR3;
	fake_cpu.off_block = true;
	user_leave();
	assert_int_equal(fake_cpu.cr3_writes, 0);
}

static void a_deadline_that_has_passed_ends_it_at_once(void **state)
{
	(void)state;
	context.deadline_ns = user_now_ns();
	assert_int_equal(user_enter(&context), USER_EXIT_DEADLINE);
	assert_int_equal(t.entries, 0);
}

/* CPUID and NMI lead back at once, without any event of the timer. */
static void a_loop_of_anything_ends(void **state)
{
	(void)state;
	set_deadline(1 * S);
	t.result = USER_EXIT_AGAIN;
	t.run_ns = 20000;
	assert_int_equal(run_to_deadline(), 1 * S);
	assert_int_equal(t.armed, 1);
}

static void the_timer_comes_every_100_ms_at_least(void **state)
{
	(void)state;
	set_deadline(60 * S);
	(void)user_enter(&context);
	assert_int_equal(t.period_ns, 100 * MS);
	assert_int_equal(cpu->timer_deadline, context.deadline_ns);
}

static void the_last_period_is_the_rest(void **state)
{
	(void)state;
	set_deadline(130 * MS);
	t.tick = true;
	t.result = USER_EXIT_AGAIN;
	t.run_ns = 100 * MS;
	t.ends_at = 2;
	assert_int_equal(user_enter(&context), USER_EXIT_SYSCALL);
	assert_int_equal(t.armed, 2);
	assert_int_equal(t.period_ns, 30 * MS);
}

/* An event that came early: what is left is waited for, but not in steps that no host offers. */
static void an_early_event_is_followed_by_another(void **state)
{
	(void)state;
	set_deadline(10 * MS);
	t.tick = true;
	t.result = USER_EXIT_AGAIN;
	t.run_ns = 10 * MS - 1000;
	t.ends_at = 2;
	assert_int_equal(user_enter(&context), USER_EXIT_SYSCALL);
	assert_int_equal(t.armed, 2);
	assert_int_equal(t.period_ns, 250000);
}

/* Every other event is lost: ring 3 is left once in two periods. */
static void a_lost_event_costs_one_period(void **state)
{
	(void)state;
	set_deadline(1 * S);
	t.tick = true;
	t.result = USER_EXIT_AGAIN;
	t.run_ns = 200 * MS;
	assert_int_equal(run_to_deadline(), 1 * S);
}

static void a_refused_timer_is_tried_again(void **state)
{
	(void)state;
	set_deadline(1 * S);
	t.refuses = true;
	t.result = USER_EXIT_AGAIN;
	t.run_ns = 10 * MS;
	assert_int_equal(run_to_deadline(), 1 * S);
	assert_int_equal(t.armed, 100);
}

static void another_deadline_arms_anew(void **state)
{
	(void)state;
	set_deadline(50 * MS);
	(void)user_enter(&context);
	context.deadline_ns += 5 * MS;
	t.entries = t.closed = t.polls = 0;
	(void)user_enter(&context);
	assert_int_equal(t.armed, 2);
	assert_int_equal(t.period_ns, 55 * MS);
	t.entries = t.closed = t.polls = 0;
	(void)user_enter(&context);
	assert_int_equal(t.armed, 2);
}

/* A host that stops the VM for an hour takes a quarter of a second of a service's time. */
static void a_paused_host_takes_little_of_a_budget(void **state)
{
	(void)state;
	set_deadline(1 * S);
	t.result = USER_EXIT_AGAIN;
	t.run_ns = 3600 * S;
	assert_int_equal(run_to_deadline(), 4 * 3600 * S);
}

static void what_lies_between_two_looks_counts_up_to_250_ms(void **state)
{
	uint64_t start = user_now_ns();

	(void)state;
	t.now_ns += 250 * MS;
	assert_int_equal(user_now_ns() - start, 250 * MS);
	t.now_ns += 251 * MS;
	assert_int_equal(user_now_ns() - start, 500 * MS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_starts_as_a_process_does),
		TEST(flags_that_are_ring_0s_are_taken_away),
		TEST(a_space_is_loaded_when_it_changed),
		TEST(an_address_that_is_none_is_a_fault),
		TEST(an_address_that_it_leads_itself_to_is_a_fault),
		TEST(a_fault_is_told),
		TEST(its_floating_point_state_is_a_new_process_s),
		TEST(its_floating_point_state_is_kept),
		TEST(its_registers_are_kept),
		TEST(nothing_is_left_before_there_is_a_block),
		TEST(a_deadline_that_has_passed_ends_it_at_once),
		TEST(a_loop_of_anything_ends),
		TEST(the_timer_comes_every_100_ms_at_least),
		TEST(the_last_period_is_the_rest),
		TEST(an_early_event_is_followed_by_another),
		TEST(a_lost_event_costs_one_period),
		TEST(a_refused_timer_is_tried_again),
		TEST(another_deadline_arms_anew),
		TEST(a_paused_host_takes_little_of_a_budget),
		TEST(what_lies_between_two_looks_counts_up_to_250_ms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
