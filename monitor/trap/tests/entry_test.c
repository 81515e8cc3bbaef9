/* SPDX-License-Identifier: MIT */
/*
 * entry.S, executed by this process one instruction at a time, with #HV between any two of them,
 * and in the handlers of #HV. SIGTRAP comes after each instruction and plays the rest of the CPU:
 * what it pushes for an exception (APM volume 2, 8.9.3: the stack is aligned to 16; SS, RSP,
 * RFLAGS, CS, RIP), IRET, HLT, VMGEXIT, and POPF, which would end the stepping.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <cmocka.h>

#include "monitor/cpu/wait.h"
#include "monitor/trap/user_asm.h"

#define HV 28u
#define KERNEL_CS 0x08u
#define USER_CS 0x23u
#define TF 0x100
#define FLAGS 0x246 /* what the interrupted code has */
#define STACK 0x9e00u
#define STACK_LOWEST 0x2000u
#define HV_STACK_USE 48u /* of each #HV, with the alignment */
#define NOWHERE 0x1000u	 /* where what was called returns to */
#define NEVER (~0u)
#define DEPTH_MAX 400u

enum end { RETURNED, IN_RING_3, IN_C };

/* The first one at a boundary, and then as many at others; boundaries count from the last one. */
struct plan {
	unsigned int at[2];
	unsigned int deep; /* so many more at the first instruction of each handler */
};

static struct {
	bool running;
	ucontext_t home; /* this test, to be returned to */
	greg_t start[NGREG];
	struct plan plan;
	unsigned int injected, boundary;
	struct {
		greg_t regs[NGREG];
	} interrupted[DEPTH_MAX];
	unsigned int depth;
	enum end end;
	greg_t regs[NGREG]; /* at the end */
	uint64_t lowest;    /* RSP */
	unsigned int halts, exits, steps;
	const char *wrong;
} t;

static struct cpu *cpu;
static uint8_t signal_stack[64 << 10];

void trap_handle(struct trap_frame *frame)
{
	(void)frame;
	abort(); /* it is never executed, only come to */
}

static void fail_at(const char *what)
{
	if (!t.wrong)
		t.wrong = what;
}

static void push(greg_t *regs, uint64_t value)
{
	regs[REG_RSP] -= 8;
	*(uint64_t *)regs[REG_RSP] = value;
}

static uint64_t pop(greg_t *regs)
{
	uint64_t value = *(uint64_t *)regs[REG_RSP];

	regs[REG_RSP] += 8;
	return value;
}

/* An exception on the stack that is in use. */
static void enter(greg_t *regs, unsigned int vector, uint64_t cs)
{
	uint64_t rsp = (uint64_t)regs[REG_RSP];

	regs[REG_RSP] &= ~15ll;
	push(regs, cs == USER_CS ? 0x1b : 0x10);
	push(regs, rsp);
	push(regs, (uint64_t)regs[REG_EFL] & ~(uint64_t)TF);
	push(regs, cs);
	push(regs, (uint64_t)regs[REG_RIP]);
	regs[REG_RIP] = (greg_t)(trap_stubs + (size_t)16 * vector);
}

static bool wants_one(void)
{
	if (t.injected < 2 && t.boundary == t.plan.at[t.injected])
		return true;
	return t.injected >= 1 && t.injected <= t.plan.deep && t.boundary == 0;
}

static void inject(greg_t *regs)
{
	memcpy(t.interrupted[t.depth++].regs, regs, sizeof(t.start));
	enter(regs, HV, KERNEL_CS);
	t.injected++;
	t.boundary = 0;
}

/* What was interrupted has all that it had, but for RIP, which may be another one. */
static void compare(const greg_t *regs, const greg_t *before)
{
	for (unsigned int i = REG_R8; i <= REG_RSP; i++) {
		if (regs[i] != before[i])
			fail_at("a register is not what it was");
	}
	if ((regs[REG_EFL] ^ before[REG_EFL]) & ~TF)
		fail_at("the flags are not what they were");
}

static bool is_code(const greg_t *regs, const char *code, size_t size)
{
	return memcmp((const void *)regs[REG_RIP], code, size) == 0;
}

static void finish(const greg_t *regs, enum end end)
{
	t.running = false;
	t.end = end;
	memcpy(t.regs, regs, sizeof(t.regs));
}

static void do_iret(greg_t *regs)
{
	uint64_t *words = (uint64_t *)regs[REG_RSP];

	if (words[1] == USER_CS) {
		if (cpu->signals)
			fail_at("ring 3 is entered while an event waits");
		finish(regs, IN_RING_3);
		return;
	}
	regs[REG_RIP] = (greg_t)words[0];
	regs[REG_EFL] = (greg_t)words[2] | TF;
	regs[REG_RSP] = (greg_t)words[3];
	if (t.depth == 0)
		fail_at("IRET without an exception");
	else
		compare(regs, t.interrupted[--t.depth].regs);
}

/* An instruction that this process cannot execute; true when it was one. */
static bool execute(greg_t *regs)
{
	if (is_code(regs, "\x48\xcf", 2)) {
		do_iret(regs);
	} else if (is_code(regs, "\xf4", 1)) {
		if (cpu->signals)
			fail_at("HLT while an event waits");
		t.halts++;
		regs[REG_RIP] += 1;
	} else if (is_code(regs, "\xf3\x0f\x01\xd9", 4)) {
		if (cpu->signals)
			fail_at("VMGEXIT while an event waits");
		t.exits++;
		regs[REG_RIP] += 4;
	} else if (is_code(regs, "\x9d", 1)) {
		if (pop(regs) != 2)
			fail_at("flags of ring 0");
		regs[REG_RIP] += 1;
	} else {
		return false;
	}
	return true;
}

static bool at_end(const greg_t *regs)
{
	if (regs[REG_RIP] == NOWHERE)
		finish(regs, RETURNED);
	else if (regs[REG_RIP] == (greg_t)trap_handle)
		finish(regs, IN_C);
	else
		return false;
	return true;
}

/* Before each instruction: #HV, or the instruction, or the end. */
static void step(greg_t *regs)
{
	for (;;) {
		if (at_end(regs))
			return;
		if ((uint64_t)regs[REG_RSP] < t.lowest)
			t.lowest = (uint64_t)regs[REG_RSP];
		if (wants_one()) {
			inject(regs);
			continue;
		}
		t.boundary++;
		t.steps++;
		if (!execute(regs))
			return;
		if (!t.running)
			return;
	}
}

static void on_trap(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)number;
	(void)info;
	if (!t.running) {
		t.home = *uc;
		memcpy(uc->uc_mcontext.gregs, t.start, sizeof(t.start[0]) * REG_CSGSFS);
		t.running = true;
	}
	step(uc->uc_mcontext.gregs);
	if (t.running)
		uc->uc_mcontext.gregs[REG_EFL] |= TF;
	else
		memcpy(uc->uc_mcontext.gregs, t.home.uc_mcontext.gregs,
		       sizeof(t.start[0]) * REG_CSGSFS);
}

static int set_up(void **state)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };

	(void)state;
	cpu = fake_cpu_block();
	fake_cpu_reset(cpu);
	memset(&t, 0, sizeof(t));
	t.plan = (struct plan){ { NEVER, NEVER }, 0 };
	assert_int_equal(sigaltstack(&stack, NULL), 0);
	assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	signal(SIGTRAP, SIG_DFL);
	free(cpu);
	return 0;
}

static uint64_t in_block(uint64_t offset)
{
	return (uint64_t)(uintptr_t)cpu + offset;
}

static const struct trap_frame user = {
	.rax = 0xa1,
	.rbx = 0xa2,
	.rcx = 0xa3,
	.rdx = 0xa4,
	.rsi = 0xa5,
	.rdi = 0xa6,
	.rbp = 0xa7,
	.rsp = 0xa8,
	.r8 = 0xa9,
	.r9 = 0xaa,
	.r10 = 0xab,
	.r11 = 0xac,
	.r12 = 0xad,
	.r13 = 0xae,
	.r14 = 0xaf,
	.r15 = 0xb0,
	.rip = 0xb1,
	.rflags = 0xb2,
};

/* A call of what is at rip, with a stack of the block and a value of its own in each register. */
static void prepare(const void *rip, uint64_t offset)
{
	cpu->signals = 0;
	for (unsigned int i = REG_R8; i <= REG_RCX; i++)
		t.start[i] = 0x0111111111111111ll * (i + 1);
	t.start[REG_RDI] = (greg_t)cpu;
	t.start[REG_RSI] = (greg_t)&user;
	t.start[REG_RSP] = (greg_t)in_block(offset);
	t.start[REG_EFL] = FLAGS;
	t.start[REG_RIP] = (greg_t)rip;
	push(t.start, NOWHERE);
}

static enum end run(struct plan plan)
{
	t.plan = plan;
	t.injected = t.boundary = t.depth = t.halts = t.exits = t.steps = 0;
	t.lowest = UINT64_MAX;
	t.wrong = NULL;
	raise(SIGTRAP);
	if (t.wrong)
		fail_msg("#HV at %u, %u, %u deep: %s", plan.at[0], plan.at[1], plan.deep, t.wrong);
	/* Each is counted, whatever it interrupted. */
	assert_int_equal(cpu->signals, t.injected);
	assert_int_equal(t.depth, 0);
	return t.end;
}

static const struct plan nothing = { { NEVER, NEVER }, 0 };

/* What a function must leave as it was, and the stack. */
static void check_return(uint64_t offset)
{
	static const int kept[] = { REG_RBX, REG_RBP, REG_R12, REG_R13, REG_R14, REG_R15 };

	assert_int_equal(t.end, RETURNED);
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(t.regs[kept[i]], t.start[kept[i]]);
	assert_int_equal(t.regs[REG_RSP], in_block(offset));
}

/*
 * All runs with one and with two #HV: the second within the handler of the first, or behind it.
 * They end when the first one would come behind the end.
 */
static void interrupt_everywhere(const void *rip, void (*check)(void))
{
	unsigned int runs = 0;

	for (unsigned int first = 0;; first++) {
		for (unsigned int second = 0; second < 60; second++) {
			prepare(rip, STACK);
			run((struct plan){ { first, second }, 0 });
			if (t.injected == 0)
				break;
			check();
			runs += t.injected == 2;
		}
		if (t.injected == 0)
			break;
	}
	assert_true(runs > 40);
}

static void ring_3_gets_its_registers(void **state)
{
	static const int order[] = { REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI,
				     REG_RBP, 0,       REG_R8,	REG_R9,	 REG_R10, REG_R11,
				     REG_R12, REG_R13, REG_R14, REG_R15 };
	static const uint64_t frame[] = { 0xb1, USER_CS, 0xb2, 0xa8, 0x1b };

	(void)state;
	prepare((const void *)user_resume, STACK);
	assert_int_equal(run(nothing), IN_RING_3);
	for (unsigned int i = 0; i < 16; i++) {
		if (i != 7)
			assert_int_equal(t.regs[order[i]], 0xa1 + i);
	}
	assert_memory_equal((const void *)t.regs[REG_RSP], frame, sizeof(frame));
	/* Ring 3 comes in below what its caller has saved. */
	assert_int_equal(cpu->tss.rsp[0], t.regs[REG_RSP] + 40);
	assert_int_equal(cpu->tss.rsp[0] % 16, 0);
}

static void check_resume(void)
{
	assert_int_equal((int)t.regs[REG_RAX], 0);
	check_return(STACK);
}

/* The event of each is looked for before ring 3 runs, and none comes into ring 3. */
static void an_event_keeps_ring_3_from_running(void **state)
{
	(void)state;
	interrupt_everywhere((const void *)user_resume, check_resume);
}

static void an_event_that_waits_keeps_it_too(void **state)
{
	(void)state;
	prepare((const void *)user_resume, STACK);
	cpu->signals = 1;
	t.injected = 0;
	t.plan = nothing;
	raise(SIGTRAP);
	assert_null(t.wrong);
	check_resume();
}

/* From wherever ring 0 is by then, it comes back where user_resume() was called. */
static void ring_3_is_left(void **state)
{
	(void)state;
	for (unsigned int first = 0; first < 40; first++) {
		prepare((const void *)user_resume, STACK);
		assert_int_equal(run(nothing), IN_RING_3);

		greg_t before[NGREG];

		memcpy(before, t.start, sizeof(before));
		prepare((const void *)user_return, STACK - 0x800);
		t.start[REG_RDI] = 7;
		run((struct plan){ { first, 3 }, 0 });
		memcpy(t.start, before, sizeof(before));
		check_return(STACK);
		assert_int_equal((int)t.regs[REG_RAX], 7);
	}
}

static void check_halt(void)
{
	check_return(STACK);
	/* The event comes before HLT, and there is none, or it ends it. */
	assert_true(t.halts <= 1);
}

static void an_event_keeps_a_cpu_awake(void **state)
{
	(void)state;
	prepare((const void *)wait_halt, STACK);
	run(nothing);
	assert_int_equal(t.halts, 1);
	check_halt();
	interrupt_everywhere((const void *)wait_halt, check_halt);
}

static void check_exit(void)
{
	check_return(STACK);
	assert_int_equal((int)t.regs[REG_RAX], t.exits);
}

static void an_event_keeps_a_cpu_at_vmpl0(void **state)
{
	(void)state;
	prepare((const void *)wait_vmgexit, STACK);
	run(nothing);
	assert_int_equal(t.exits, 1);
	check_exit();
	interrupt_everywhere((const void *)wait_vmgexit, check_exit);
	/* The first one comes with the end of VMGEXIT: it was executed. */
	prepare((const void *)wait_vmgexit, STACK);
	run((struct plan){ { 3, NEVER }, 0 });
	assert_int_equal(t.exits, 1);
	check_exit();
}

/* Each takes 48 bytes, wherever the stack was; the lower half of it is theirs. */
static void so_many_fit_on_the_stack(void **state)
{
	const unsigned int many = (STACK - STACK_LOWEST) / 2 / HV_STACK_USE;

	(void)state;
	assert_true(many >= 330);
	assert_int_equal(HV_FRAMES_MAX, 0x8000 / 2 / HV_STACK_USE);
	for (unsigned int offset = 0; offset < 16; offset += 8) {
		prepare((const void *)wait_halt, STACK + offset);
		run((struct plan){ { 1, NEVER }, many - 1 });
		assert_int_equal(t.injected, many);
		check_return(STACK + offset);
		assert_true(in_block(STACK) - t.lowest <= (many + 1) * HV_STACK_USE);
		assert_true(t.lowest >= in_block(STACK_LOWEST));
	}
}

static bool has_error(unsigned int vector)
{
	/* #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX: APM volume 2, 8.2. */
	static const unsigned int with[] = { 8, 10, 11, 12, 13, 14, 17, 21, 29, 30 };

	for (unsigned int i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
		if (with[i] == vector)
			return true;
	}
	return false;
}

/* As it enters C, with #HV at every boundary on the way. */
static void check_frame(unsigned int vector)
{
	const struct trap_frame *frame = (const struct trap_frame *)t.regs[REG_RDI];

	assert_int_equal(t.end, IN_C);
	assert_int_equal(frame->vector, vector);
	assert_int_equal(frame->error, has_error(vector) ? 0x77 : 0);
	assert_int_equal(frame->rip, 0x401000);
	assert_int_equal(frame->cs, USER_CS);
	assert_int_equal(frame->rflags, FLAGS);
	assert_int_equal(frame->ss, 0x1b);
	assert_int_equal(frame->rax, t.start[REG_RAX]);
	assert_int_equal(frame->rbx, t.start[REG_RBX]);
	assert_int_equal(frame->rcx, t.start[REG_RCX]);
	assert_int_equal(frame->rdx, t.start[REG_RDX]);
	assert_int_equal(frame->rsi, t.start[REG_RSI]);
	assert_int_equal(frame->rdi, t.start[REG_RDI]);
	assert_int_equal(frame->rbp, t.start[REG_RBP]);
	assert_int_equal(frame->r8, t.start[REG_R8]);
	assert_int_equal(frame->r15, t.start[REG_R15]);
	/* The ABI wants the stack 16-aligned before the call. */
	assert_int_equal((uint64_t)(t.regs[REG_RSP] + 8) % 16, 0);
}

static void every_exception_of_ring_3_comes_to_c(void **state)
{
	(void)state;
	for (unsigned int vector = 0; vector < 32; vector++) {
		for (unsigned int first = 0; first < 20; first++) {
			prepare((const void *)0x401000, STACK);
			enter(t.start, vector, USER_CS);
			if (has_error(vector))
				push(t.start, 0x77);
			t.plan = (struct plan){ { first, 2 }, 0 };
			t.injected = t.boundary = t.depth = 0;
			t.wrong = NULL;
			t.lowest = UINT64_MAX;
			raise(SIGTRAP);
			assert_null(t.wrong);
			assert_int_equal(cpu->signals, t.injected + (vector == HV));
			check_frame(vector);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ring_3_gets_its_registers),	TEST(an_event_keeps_ring_3_from_running),
		TEST(an_event_that_waits_keeps_it_too), TEST(ring_3_is_left),
		TEST(an_event_keeps_a_cpu_awake),	TEST(an_event_keeps_a_cpu_at_vmpl0),
		TEST(so_many_fit_on_the_stack),		TEST(every_exception_of_ring_3_comes_to_c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
