/* SPDX-License-Identifier: MIT */
/* What entry.S and the C of this folder share. */
#ifndef SOCLE_MONITOR_TRAP_USER_ASM_H
#define SOCLE_MONITOR_TRAP_USER_ASM_H

#include "monitor/trap/trap.h"
#include "monitor/trap/user.h"

enum user_return {
	USER_RETURN_AGAIN = 0, /* nothing to do but go on; entry.S knows this number */
	USER_RETURN_SYSCALL,
	USER_RETURN_FAULT,
};

/* entry.S */
extern const char trap_stubs[];
int user_resume(struct cpu *cpu, const struct user_regs *regs);
_Noreturn void user_return(int value);

/* Saves the service's registers into its context and ends the user_resume() that runs it. */
_Noreturn void user_leave_ring3(const struct trap_frame *frame, enum user_return value);

#endif
