/* SPDX-License-Identifier: MIT */
/*
 * From Socle's entry of a bare guest, 64-bit mode on the builder's page tables with RSI at the
 * confidential-computing blob, to attack_start() on the block of CPU 0.
 */
#include "tests/attacks/guest/layout.h"

	.section .text.start, "ax"
	.globl start64
start64:
	cld
	leaq cpu_blocks + CPU_BLOCK_SIZE(%rip), %rsp
	lgdt gdt_pointer(%rip)
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	pushq $0x08
	leaq on_own_gdt(%rip), %rax
	pushq %rax
	lretq
on_own_gdt:
	movq %rsi, %rdi
	xorl %ebp, %ebp
	call attack_start
	ud2

	.section .note.GNU-stack, "", @progbits
