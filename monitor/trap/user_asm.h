/* SPDX-License-Identifier: MIT */
/* What entry.S and the C of this folder share. */
#ifndef SOCLE_MONITOR_TRAP_USER_ASM_H
#define SOCLE_MONITOR_TRAP_USER_ASM_H

#include "monitor/trap/trap.h"

/* entry.S */
extern const char trap_stubs[];
enum user_exit user_resume(struct cpu *cpu, const struct trap_frame *regs);
_Noreturn void user_return(enum user_exit value);

/* Saves the service's registers into its context and ends the user_resume() that runs it. */
_Noreturn void user_leave_ring3(const struct trap_frame *frame, enum user_exit value);

#endif
