/* SPDX-License-Identifier: MIT */
/*
 * One entry of 16 bytes for each vector from 31 on, and for NMI: all end in apic_interrupt(vector).
 */
	.text
	.globl apic_entries
	.balign 16
apic_entries:
	.set vector, 0
	.rept 256
	.balign 16
	pushq $vector
	jmp common
	.set vector, vector + 1
	.endr
common:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	movq 88(%rsp), %rdi
	movq %rsp, %rbx
	andq $-16, %rsp
	cld
	call apic_interrupt
	movq %rbx, %rsp
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $8, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
