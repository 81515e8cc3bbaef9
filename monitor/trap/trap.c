/* SPDX-License-Identifier: MIT */
#include "monitor/trap/trap.h"

#include "abi/snp.h"
#include "core/base/printf.h"
#include "monitor/base/cpu_ops.h"
#include "monitor/base/die.h"
#include "monitor/base/extable.h"
#include "monitor/mem/map.h"
#include "monitor/trap/user_asm.h"

#define WHY_MAX 160u

static bool within(uint64_t address, const void *begin, const char *end)
{
	return address >= (uint64_t)(uintptr_t)begin && address < (uint64_t)(uintptr_t)end;
}

bool trap_fix_up(struct trap_frame *frame)
{
	for (const struct extable_entry *e = extable_begin; e < extable_end; e++) {
		if (frame->rip == e->instruction && frame->vector < 64 &&
		    e->vectors >> frame->vector & 1) {
			frame->rip = e->fixup;
			return true;
		}
	}
	return false;
}

/* Ring 3 is left whatever it was, so that its way back leads past the deadline and the doorbell. */
static _Noreturn void handle_user(struct cpu *cpu, struct trap_frame *frame)
{
	switch (frame->vector) {
	case VECTOR_SYSCALL:
		user_leave_ring3(frame, USER_RETURN_SYSCALL);
	case X86_VECTOR_HV:
		cpu->event_pending = 1;
		user_leave_ring3(frame, USER_RETURN_AGAIN);
	case VECTOR_NMI: /* restricted injection has none, so this one means nothing */
		user_leave_ring3(frame, USER_RETURN_AGAIN);
	case X86_VECTOR_VC:
		if (vc_handle(frame))
			user_leave_ring3(frame, USER_RETURN_AGAIN);
		break;
	default:
		break;
	}
	cpu->user->fault = (struct user_fault){
		.vector = (uint32_t)frame->vector,
		.error = (uint32_t)frame->error,
		.address = frame->vector == VECTOR_PF ? cpu_read_cr2() : 0,
	};
	user_leave_ring3(frame, USER_RETURN_FAULT);
}

/*
 * #HV may come at any instruction of ring 0, also before SYSCALL has switched stacks. It only
 * leaves a mark; whoever gives the CPU away next looks at it, and who was just about to starts
 * over.
 */
static void handle_hv(struct cpu *cpu, struct trap_frame *frame)
{
	cpu->event_pending = 1;
	if (within(frame->rip, user_resume_begin, user_resume_end))
		frame->rip = (uint64_t)(uintptr_t)user_resume_abort;
	if (within(frame->rip, wait_vmgexit, wait_vmgexit_end) ||
	    within(frame->rip, wait_halt, wait_halt_end))
		frame->rip = (uint64_t)(uintptr_t)wait_abort;
}

/*
 * A debug trap that SYSCALL carried over from ring 3: the service set TF, or delayed a trap by a
 * load of SS, and ring 0 pays. The registers are still the service's, where SYSCALL put them.
 */
static bool debug_of_service(struct trap_frame *frame)
{
	if (frame->vector != VECTOR_DB || frame->rip != (uint64_t)(uintptr_t)trap_syscall)
		return false;
	frame->rip = frame->rcx;
	frame->rflags = frame->r11;
	return true;
}

/* No lock is taken on this way, for whoever holds it may be what broke. */
static _Noreturn void die_of(const struct trap_frame *frame)
{
	char why[WHY_MAX];

	printf_text(why, sizeof(why),
		    "exception %lu in ring 0, error 0x%lx at 0x%lx stack 0x%lx address 0x%lx",
		    frame->vector, frame->error, frame->rip, frame->rsp, cpu_read_cr2());
	die(frame->vector == X86_VECTOR_VC ? DIE_NOT_VALIDATED : DIE_EXCEPTION, why);
}

static void handle_kernel(struct cpu *cpu, struct trap_frame *frame)
{
	if (frame->vector == X86_VECTOR_HV)
		handle_hv(cpu, frame);
	else if (debug_of_service(frame))
		handle_user(cpu, frame);
	else if (frame->vector != VECTOR_NMI && !trap_fix_up(frame))
		die_of(frame);
}

void trap_handle(struct trap_frame *frame)
{
	struct cpu *cpu = cpu_this();

	/* Only a host does this, for no handler does anything that raises its own vector. */
	if (trap_overwrites(cpu, frame))
		die(DIE_HOST, "the host interrupts the handler of an exception by the same one");
	if (trap_from_user(frame))
		handle_user(cpu, frame);
	handle_kernel(cpu, frame);
}
