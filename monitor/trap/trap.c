/* SPDX-License-Identifier: MIT */
#include "monitor/trap/trap.h"

#include "abi/snp.h"
#include "monitor/arch/hw/cpu_ops.h"
#include "monitor/log/die.h"
#include "monitor/log/log.h"
#include "monitor/mem/map.h"
#include "monitor/trap/extable.h"
#include "monitor/trap/user_asm.h"

#define VECTOR_DB 1u
#define VECTOR_NMI 2u
#define VECTOR_PF 14u

static bool within(uint64_t address, const void *begin, const char *end)
{
	return address >= (uint64_t)(uintptr_t)begin && address < (uint64_t)(uintptr_t)end;
}

/* A vector whose handler's own stack it interrupts: the frame below is lost, so nothing goes on. */
static void refuse_nesting(const struct trap_frame *frame, enum cpu_ist ist)
{
	if (!trap_from_user(frame) && cpu_on_ist(cpu_this(), ist, frame->rsp))
		die(DIE_HOST, "the host interrupts the handler of an exception by the same one");
}

bool trap_fix_up(struct trap_frame *frame)
{
	for (const struct extable_entry *e = extable_begin; e < extable_end; e++) {
		if (frame->rip == e->instruction) {
			frame->rip = e->fixup;
			return true;
		}
	}
	return false;
}

/*
 * #HV may come at any instruction of ring 0, also before SYSCALL has switched stacks. It only
 * leaves a mark; whoever gives the CPU away next looks at it, and who was just about to starts
 * over.
 */
static void handle_hv(struct trap_frame *frame)
{
	struct cpu *cpu = cpu_this();

	refuse_nesting(frame, IST_HV);
	cpu->event_pending = 1;
	if (trap_from_user(frame))
		user_leave_ring3(frame, USER_RETURN_EVENT);
	if (within(frame->rip, user_resume_begin, user_resume_end))
		frame->rip = (uint64_t)(uintptr_t)user_resume_abort;
	if (within(frame->rip, wait_vmgexit, wait_vmgexit_end) ||
	    within(frame->rip, wait_halt, wait_halt_end))
		frame->rip = (uint64_t)(uintptr_t)wait_abort;
}

static void handle_user(struct trap_frame *frame)
{
	struct user_fault *fault = &cpu_this()->user->fault;

	if (frame->vector == VECTOR_SYSCALL)
		user_leave_ring3(frame, USER_RETURN_SYSCALL);
	if (frame->vector == X86_VECTOR_VC && vc_handle(frame))
		return;

	*fault = (struct user_fault){
		.vector = (uint32_t)frame->vector,
		.error = (uint32_t)frame->error,
		.address = frame->vector == VECTOR_PF ? cpu_read_cr2() : 0,
	};
	user_leave_ring3(frame, USER_RETURN_FAULT);
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

static _Noreturn void die_of(const struct trap_frame *frame)
{
	log_printf(LOG_ERROR, "exception %lu error 0x%lx at 0x%lx stack 0x%lx address 0x%lx",
		   frame->vector, frame->error, frame->rip, frame->rsp, cpu_read_cr2());
	if (frame->vector == X86_VECTOR_VC)
		die(DIE_NOT_VALIDATED, "#VC in ring 0");
	die(DIE_EXCEPTION, "exception in ring 0");
}

static void handle_kernel(struct trap_frame *frame)
{
	if (debug_of_service(frame))
		handle_user(frame);

	bool memory = frame->vector == VECTOR_PF || frame->vector == X86_VECTOR_VC;

	if (!memory || !trap_fix_up(frame))
		die_of(frame);
}

void trap_handle(struct trap_frame *frame)
{
	switch (frame->vector) {
	case X86_VECTOR_HV:
		handle_hv(frame);
		return;
	case VECTOR_NMI:
		/* Restricted injection has no NMI, so this one means nothing. */
		refuse_nesting(frame, IST_NMI);
		return;
	case X86_VECTOR_VC:
		refuse_nesting(frame, IST_VC);
		break;
	default:
		break;
	}

	if (trap_from_user(frame))
		handle_user(frame);
	else
		handle_kernel(frame);
}
