/* SPDX-License-Identifier: MIT */
#include "monitor/trap/user.h"

#include <stddef.h>

#include "monitor/arch/arch.h"
#include "monitor/base/cpu_ops.h"
#include "monitor/trap/user_asm.h"

/* CF PF AF ZF SF DF OF AC ID: no TF, no IOPL, no NT; interrupts stay off, for there are none. */
#define RFLAGS_OF_SERVICE 0x240cd5ull
#define RFLAGS_ALWAYS 2ull
#define PERIOD_MIN_NS 250000ull	   /* hosts offer nothing much shorter */
#define PERIOD_MAX_NS 100000000ull /* a lost event costs no more than this */
#define CHARGE_MAX_NS 250000000ull /* two periods, and some time to get here */
#define FX_FCW 0x37fu
#define FX_MXCSR 0x1f80u

/* entry.S loads them from these places. */
ABI_OFFSET(struct trap_frame, rip, 136);
ABI_OFFSET(struct trap_frame, rflags, 152);
ABI_OFFSET(struct trap_frame, rsp, 160);

void user_context_init(struct user_context *context, struct address_space *space, va_t entry,
		       va_t stack)
{
	*context = (struct user_context){
		.regs = { .rip = entry.raw, .rsp = stack.raw },
		.space = space,
	};
	context->fx[0] = FX_FCW & 0xff;
	context->fx[1] = FX_FCW >> 8;
	context->fx[24] = FX_MXCSR & 0xff;
	context->fx[25] = FX_MXCSR >> 8;
}

static void restore_fx(const struct user_context *context)
{
	__asm__ volatile("fxrstor64 %0" : : "m"(context->fx));
}

static void save_fx(struct user_context *context)
{
	__asm__ volatile("fxsave64 %0" : "=m"(context->fx));
}

_Noreturn void user_leave_ring3(const struct trap_frame *frame, enum user_exit value)
{
	cpu_this()->user->regs = *frame;
	user_return(value);
}

/* IRET of an address that is not canonical would fault in ring 0. */
static bool enterable(const struct user_context *context)
{
	return context->regs.rip < SPACE_USER_MAX && context->fs_base < SPACE_USER_MAX;
}

static enum user_exit refuse(struct user_context *context)
{
	context->fault = (struct user_fault){ .vector = VECTOR_GP };
	return USER_EXIT_FAULT;
}

static void load_space(struct cpu *cpu, const struct address_space *space)
{
	uint64_t cr3 = space_cr3(space);

	if (cpu->cr3 == cr3 && cpu->space_generation == space->generation)
		return;
	cpu_write_cr3(cr3);
	cpu->cr3 = cr3;
	cpu->space_generation = space->generation;
}

void user_leave(void)
{
	struct cpu *cpu = cpu_this();

	if (!cpu_on_block() || cpu->cr3 == map_kernel_cr3())
		return;
	cpu_write_cr3(map_kernel_cr3());
	cpu->cr3 = map_kernel_cr3();
}

uint64_t user_now_ns(void)
{
	struct cpu *cpu = cpu_this();
	uint64_t now = arch_now_ns(), gap = now - cpu->looked_ns;

	cpu->looked_ns = now;
	if (gap > CHARGE_MAX_NS)
		cpu->stopped_ns += gap - CHARGE_MAX_NS;
	return now - cpu->stopped_ns;
}

/*
 * Arms the timer so that its #HV comes at the deadline, or soon after it when the host loses one.
 */
static void keep_timer(struct cpu *cpu, uint64_t deadline_ns, uint64_t left_ns)
{
	uint64_t period = left_ns > PERIOD_MAX_NS ? PERIOD_MAX_NS : left_ns;
	bool ticked = cpu->tick;

	cpu->tick = false;
	if (period < PERIOD_MIN_NS)
		period = PERIOD_MIN_NS;
	if (cpu->timer_deadline != deadline_ns || (ticked && period < cpu->timer_period_ns))
		arch_timer_arm(cpu, deadline_ns, period);
}

/* False when the deadline has passed. Before each way into ring 3, whatever led out of it. */
static bool watch_deadline(struct cpu *cpu, const struct user_context *context)
{
	arch_poll_events(cpu);
	if (!context->deadline_ns)
		return true;

	uint64_t now = user_now_ns();

	if (now >= context->deadline_ns)
		return false;
	keep_timer(cpu, context->deadline_ns, context->deadline_ns - now);
	return true;
}

/* Runs ring 3 until something happens that is not #HV. */
static enum user_exit run(struct cpu *cpu, struct user_context *context)
{
	while (watch_deadline(cpu, context)) {
		arch_host_close(cpu);
		load_space(cpu, context->space);

		enum user_exit exit = user_resume(cpu, &context->regs);

		if (exit != USER_EXIT_AGAIN)
			return exit;
		/*
		 * RIP can be out of range without a fault so far: #HV may come between a wild jump
		 * and its fault, and CPUID may be the last instruction below the limit.
		 */
		if (!enterable(context))
			return refuse(context);
	}
	return USER_EXIT_DEADLINE;
}

enum user_exit user_enter(struct user_context *context)
{
	struct cpu *cpu = cpu_this();

	if (!enterable(context))
		return refuse(context);

	context->regs.rflags = (context->regs.rflags & RFLAGS_OF_SERVICE) | RFLAGS_ALWAYS;
	cpu->user = context;
	restore_fx(context);
	cpu_clear_selectors(); /* before the base of FS, which goes with its selector */
	cpu_write_msr(MSR_FS_BASE, context->fs_base);

	enum user_exit exit = run(cpu, context);

	save_fx(context);
	cpu->user = NULL;
	return exit;
}
