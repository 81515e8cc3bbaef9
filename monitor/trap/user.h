/* SPDX-License-Identifier: MIT */
/*
 * Ring 3: run a service until it wants or breaks something. user_enter() works like a function
 * call into the service; what it returns is for the caller to act on, and calling it again goes
 * on where the service stopped. The kernel stack of the caller is kept, so while a service waits
 * for another one, that one may be entered from a deeper call.
 */
#ifndef SOCLE_MONITOR_TRAP_USER_H
#define SOCLE_MONITOR_TRAP_USER_H

#include <stdint.h>

#include "monitor/mem/map.h"

enum user_exit {
	/* Within this folder: nothing to do but go on. entry.S knows this number. */
	USER_EXIT_AGAIN = 0,
	/*
	 * SYSCALL: number in regs.rax, arguments in rdi rsi rdx r10 r8 r9 (Linux's convention). rip
	 * is behind the instruction. Put the result into regs.rax and enter again.
	 */
	USER_EXIT_SYSCALL,
	/* An exception that the service has to answer for: struct user_fault. */
	USER_EXIT_FAULT,
	/* deadline_ns passed. Also when it had passed before the call. */
	USER_EXIT_DEADLINE,
};

/* As entry.S saves it on the stack: its registers below what the CPU pushed. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector;
	uint64_t error;
	uint64_t rip, cs, rflags, rsp, ss;
};
ABI_SIZE(struct trap_frame, 22 * 8);

struct user_fault {
	uint32_t vector;
	uint32_t error;
	uint64_t address; /* CR2 for a page fault */
};

/*
 * One thread of a service. Filled by user_context_init(); whoever owns it changes registers
 * between entries. rip and rflags are sanitised at each entry.
 */
struct user_context {
	struct trap_frame regs; /* selectors, vector and error count for nothing */
	uint64_t fs_base;	/* canonical and in user range, or the entry is a fault */
	struct address_space *space;
	uint64_t deadline_ns; /* in user_now_ns() terms; 0: none */
	struct user_fault fault;
	uint8_t fx[512] __attribute__((aligned(16))); /* x87 and SSE, FXSAVE64 */
};

/*
 * The time that services are charged for, on this vCPU: arch_now_ns() less what the vCPU was
 * stopped for, since a host that pauses the VM is none of the service's fault. While a service runs
 * its vCPU looks at the clock at every period of the timer; what lies between two looks counts for
 * a quarter of a second at most. So a host that sends no events lets a service run longer, on a
 * vCPU that the host could have stopped just as well. Values of two vCPUs do not compare.
 */
uint64_t user_now_ns(void);

/* A thread that starts at entry with the x87/SSE state of a new Linux process. */
void user_context_init(struct user_context *context, struct address_space *space, va_t entry,
		       va_t stack);

/*
 * Runs the service on this CPU in context->space until it exits. Any locks may be held (a service
 * runs under its own). CPUID, #HV, NMI and the timer are dealt with inside.
 */
enum user_exit user_enter(struct user_context *context);

/*
 * Leaves whatever address space this CPU is in. Before a space is destroyed, before another CPU
 * enters it, and when a service call ends.
 */
void user_leave(void);

#endif
