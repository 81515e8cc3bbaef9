/* SPDX-License-Identifier: MIT */
/* Exceptions: what the entry code saves, and who answers. */
#ifndef SOCLE_MONITOR_TRAP_TRAP_H
#define SOCLE_MONITOR_TRAP_TRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/cpu/cpu.h"
#include "monitor/trap/user.h"

#define VECTOR_NMI 2u
#define VECTOR_UD 6u
#define VECTOR_DF 8u
#define VECTOR_GP 13u
#define VECTOR_PF 14u
#define VECTOR_MC 18u

static inline bool trap_from_user(const struct trap_frame *frame)
{
	return frame->cs & 3;
}

/* Fills the IDT, once, before anybody loads it, and makes it read-only afterwards. */
void trap_init_idt(void);
bool trap_seal_idt(void);

/* Loads the IDT on this CPU. */
void trap_load_idt(void);

/*
 * Called by entry.S for every exception but #HV of ring 0, which it answers itself. Returns for
 * ring 0 only: who comes from ring 3 goes back there through user_enter().
 */
void trap_handle(struct trap_frame *frame);

/*
 * Lets an instruction that extable.h names as one that may raise just this exception go on at its
 * fixup. False when it is none of those.
 */
bool trap_fix_up(struct trap_frame *frame);

/* #VC: answers CPUID for ring 3. False when nothing can be done about it. vc.c */
bool vc_handle(struct trap_frame *frame);

/*
 * #UD of ring 3: whether it is a system call, which then has the registers that SYSCALL leaves.
 * syscall.c
 */
bool syscall_take(struct trap_frame *frame);

/*
 * Whether ring 3 was interrupted at the two bytes 0F and second, which it may read and which are no
 * longer an instruction with a prefix. What it was is never the host's word. opcode.c
 */
#define OPCODE_LENGTH 2u
bool trap_at_opcode(const struct trap_frame *frame, uint8_t second);

#endif
