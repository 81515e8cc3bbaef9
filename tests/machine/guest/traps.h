/* SPDX-License-Identifier: MIT */
/* Exceptions and ring 3 of test guests. */
#ifndef SOCLE_TESTS_MACHINE_TRAPS_H
#define SOCLE_TESTS_MACHINE_TRAPS_H

#include <stdint.h>

struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* Called for every exception; without one, an exception is a failure of the test. */
extern void (*trap_handler)(struct trap_frame *frame);

/* What such a failure is; whoever links this says so. */
_Noreturn void trap_unhandled(const struct trap_frame *frame);

/* Loads the IDT, and a TSS with a stack for what comes from ring 3. On one CPU. */
void traps_start(void);

/* The TSS, which VMPLs of that CPU may have, too. */
uint64_t traps_tss(void);

/* Runs ring 3 at rip until the handler calls user_leave(). */
void user_run(uint64_t rip, uint64_t rsp);
void user_leave(struct trap_frame *frame);

#endif
