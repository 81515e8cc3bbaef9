/* SPDX-License-Identifier: MIT */
/*
 * Where each vCPU's block lies and what assembly knows of it. Included by .S files: only
 * preprocessor constants. The C side is cpu/cpu.h, which checks them.
 *
 * A block is 64 KiB of addresses, aligned to that, at CPU_VA_BASE + index * 64 KiB: so every stack
 * pointer of a vCPU tells which vCPU it is, without GS. Pages that are not named stay unmapped, as
 * guards below and above each stack.
 *
 *	page 0		struct cpu
 *	pages 2-9	the stack of the run loop, of everything it calls, and of exceptions
 *	page 11		the stack of double faults and machine checks, from which nothing returns
 *
 * Half of the stack is for what the monitor itself does. The other half has room for HV_FRAMES_MAX
 * frames of #HV on top of each other (docs/shared-pages.md says why so many never come).
 */
#ifndef SOCLE_MONITOR_BASE_CPU_LAYOUT_H
#define SOCLE_MONITOR_BASE_CPU_LAYOUT_H

#define CPU_VA_BASE 0xffffffffc0000000
#define CPU_BLOCK_SIZE 0x10000
#define CPU_STACK_BOTTOM 0x2000
#define CPU_STACK_TOP 0xa000
#define CPU_FATAL_TOP 0xc000
#define CPU_IST_FATAL 1 /* IST n, in the IDT */

#define HV_FRAME_SIZE 48 /* the CPU's five words and RAX */
#define HV_FRAMES_MAX ((CPU_STACK_TOP - CPU_STACK_BOTTOM) / 2 / HV_FRAME_SIZE)

#define CPU_SIGNALS 0x00
#define CPU_TSS_RSP0 0x14

#define SELECTOR_KERNEL_CS 0x08
#define SELECTOR_KERNEL_DS 0x10
#define SELECTOR_USER_DS 0x1b
#define SELECTOR_USER_CS 0x23
#define SELECTOR_TSS 0x28

#endif
