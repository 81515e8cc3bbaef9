/* SPDX-License-Identifier: MIT */
/* Entries of all exceptions, the way to ring 3 and back, and the GDT. */
/* One entry for each exception: all of them end in trap() with a struct trap_frame. */
	.macro entry vector, has_error
	.balign 16
	.if \has_error == 0
	pushq $0
	.endif
	pushq $\vector
	jmp common_entry
	.endm

	.altmacro
	.text
	.balign 16
	.globl trap_entries
trap_entries:
	.set i, 0
	.rept 32
	.if i == 8 || (i >= 10 && i <= 14) || i == 17 || i == 21 || i == 29 || i == 30
	entry %i, 1
	.else
	entry %i, 0
	.endif
	.set i, i + 1
	.endr

common_entry:
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
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	cld
	movq %rsp, %rdi
	movq %rsp, %rbp
	andq $-16, %rsp
	call trap
	movq %rbp, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
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
	addq $16, %rsp
	iretq

/*
 * void user_run(rip, rsp): runs ring 3 there. Comes back when something, in ring 0, jumps to
 * user_return, with the stack of ring 0 as it is here.
 */
	.globl user_run, user_return, user_kernel_rsp
user_run:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, user_kernel_rsp
	pushq $0x1b
	pushq %rsi
	pushq $0x2
	pushq $0x23
	pushq %rdi
	iretq
user_return:
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

	.section .data
	.balign 16
	.globl gdt, gdt_tss
gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 0x08: code, ring 0 */
	.quad 0x00cf93000000ffff	/* 0x10: data, ring 0 */
	.quad 0x00cff3000000ffff	/* 0x18: data, ring 3 */
	.quad 0x00affb000000ffff	/* 0x20: code, ring 3 */
gdt_tss:
	.quad 0, 0			/* 0x28: TSS, filled by guest_start() */
	.quad 0x00cf9b000000ffff	/* 0x38: code, ring 0, 32-bit */
	.quad 0x00009b000000ffff	/* 0x40: code, ring 0, 16-bit */
gdt_end:
	.globl gdt_pointer
gdt_pointer:
	.word gdt_end - gdt - 1
	.quad gdt

	.section .bss
	.balign 8
user_kernel_rsp:
	.skip 8

	.section .note.GNU-stack, "", @progbits
