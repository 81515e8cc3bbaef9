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

/*
 * Every exception ends the run of ring 3, so that the way back goes past the deadline and the
 * doorbell.
 */
static _Noreturn void handle_user(struct cpu *cpu, struct trap_frame *frame)
{
	switch (frame->vector) {
	case VECTOR_UD:
		if (syscall_take(frame))
			user_leave_ring3(frame, USER_EXIT_SYSCALL);
		break;
	case X86_VECTOR_HV: /* entry.S has counted it */
	case VECTOR_NMI:    /* restricted injection has none, so this one means nothing */
		user_leave_ring3(frame, USER_EXIT_AGAIN);
	case X86_VECTOR_VC:
		if (vc_handle(frame))
			user_leave_ring3(frame, USER_EXIT_AGAIN);
		break;
	default:
		break;
	}
	cpu->user->fault = (struct user_fault){
		.vector = (uint32_t)frame->vector,
		.error = (uint32_t)frame->error,
		.address = frame->vector == VECTOR_PF ? cpu_read_cr2() : 0,
	};
	user_leave_ring3(frame, USER_EXIT_FAULT);
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

void trap_handle(struct trap_frame *frame)
{
	if (trap_from_user(frame))
		handle_user(cpu_this(), frame);
	if (frame->vector != VECTOR_NMI && !trap_fix_up(frame))
		die_of(frame);
}
