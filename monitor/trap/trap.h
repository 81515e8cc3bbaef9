/* SPDX-License-Identifier: MIT */
/* Exceptions: what the entry code saves, and who answers. */
#ifndef SOCLE_MONITOR_TRAP_TRAP_H
#define SOCLE_MONITOR_TRAP_TRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/vcpu/cpu.h"

/* On the stack in this order: entry.S pushes the registers below what the CPU pushed. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector; /* or VECTOR_SYSCALL */
	uint64_t error;
	uint64_t rip, cs, rflags, rsp, ss;
};
ABI_SIZE(struct trap_frame, 22 * 8);

static inline bool trap_from_user(const struct trap_frame *frame)
{
	return frame->cs & 3;
}

/* Fills the IDT, once, before any cpu_load(), and makes it read-only afterwards. */
void trap_init_idt(void);
bool trap_seal_idt(void);

/* Loads the IDT on this CPU. */
void trap_load_idt(void);

/* Called by entry.S for every exception and system call. May not return for ring 3. */
void trap_handle(struct trap_frame *frame);

/*
 * Lets an instruction that extable.h names as one that may fault go on at its fixup. False when it
 * is none of those.
 */
bool trap_fix_up(struct trap_frame *frame);

/* #VC: answers CPUID for ring 3. False when nothing can be done about it. vc.c */
bool vc_handle(struct trap_frame *frame);

/*
 * Asks the doorbell what #HV was for: the timer sets cpu->tick, everything else is acknowledged
 * and forgotten. Not from an exception handler, for it uses the GHCB. events.c
 */
void events_poll(struct cpu *cpu);

#endif
