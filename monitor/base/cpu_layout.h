/* SPDX-License-Identifier: MIT */
/*
 * Where each vCPU's block lies and what assembly knows of it. Included by .S files: only
 * preprocessor constants. The C side is vcpu/cpu.h, which checks them.
 *
 * A block is 64 KiB of addresses, aligned to that, at CPU_VA_BASE + index * 64 KiB: so every stack
 * pointer of a vCPU tells which vCPU it is, without GS. Pages that are not named stay unmapped, as
 * guards below and above each stack.
 *
 *	page 0		struct cpu
 *	pages 2-5	the stack of the run loop and of everything it calls
 *	page 7, 9, 11, 13, 15	stacks of IST 1-5
 */
#ifndef SOCLE_MONITOR_BASE_CPU_LAYOUT_H
#define SOCLE_MONITOR_BASE_CPU_LAYOUT_H

#define CPU_VA_BASE 0xffffffffc0000000
#define CPU_BLOCK_SIZE 0x10000
#define CPU_STACK_TOP 0x6000
#define CPU_IST_TOP(ist) (0x6000 + (ist)*0x2000)

#define CPU_KERNEL_RSP 0x00
#define CPU_USER_RSP 0x08
#define CPU_EVENT_PENDING 0x10
#define CPU_TSS_RSP0 0x1c

#define SELECTOR_KERNEL_CS 0x08
#define SELECTOR_KERNEL_DS 0x10
#define SELECTOR_USER_DS 0x1b
#define SELECTOR_USER_CS 0x23
#define SELECTOR_TSS 0x28

#define VECTOR_SYSCALL 0x100 /* what the SYSCALL entry says in a trap frame */

#endif
