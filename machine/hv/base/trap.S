/* SPDX-License-Identifier: MIT */
/* Interrupt stubs, idling. */
#define CODE_SELECTOR 0x18 /* as in trap.c */

/* One stub for each vector: error code or 0, then the vector. */
	.text
	.balign 16
	.globl trap_stubs
trap_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.set has_error, vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
	.if has_error || vector == 29 || vector == 30
	pushq $vector
	jmp trap_with_error
	.else
	pushq $0
	pushq $vector
	jmp trap_common
	.endif
	.set vector, vector + 1
	.endr

/*
 * An interrupt with the vector of an exception that has an error code, as a guest's 8259 may send
 * it, has none: CS, which RIP never equals here, is one place nearer. Then there is a 0 as well.
 */
trap_with_error:
	cmpq $CODE_SELECTOR, 16(%rsp)
	jne trap_common
	pushq (%rsp)
	movq $0, 8(%rsp)
trap_common:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbp
	movq %rsp, %rbp
	movq %rsp, %rdi
	andq $-16, %rsp
	cld
	movabsq $trap_handle, %rax
	call *%rax
	movq %rbp, %rsp
	popq %rbp
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq

/*
 * Sleeps until an interrupt or NMI. Comes and leaves with GIF = 0 and IF = 0. A kick that arrived
 * before is taken at STGI; trap_handle() then skips the HLT, or the wake-up would be lost.
 */
	.globl trap_idle, trap_idle_start, trap_idle_end
trap_idle:
	stgi
trap_idle_start:
	sti
	hlt
trap_idle_end:
	cli
	clgi
	ret

/* Lets pending interrupts and NMIs in. Comes and leaves with GIF = 0 and IF = 0. */
	.globl trap_window, trap_window_end
trap_window:
	stgi
	sti
	nop
	nop
trap_window_end:
	cli
	clgi
	ret
