/* SPDX-License-Identifier: MIT */
/*
 * void sweep_call(struct sweep_regs *regs, uint8_t *call_pending) and its like: a call as Linux
 * makes it (store, WRMSR, VMGEXIT), with all registers from regs, and all of them, and RFLAGS, put
 * there behind it. CF and DF are set. _sti has STI before VMGEXIT, whose shadow covers that; _cpuid
 * has two CPUIDs around it.
 */
	.text

	.macro	call_with name before after
	.globl	\name, \name\()_behind
\name:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi
	movb	$1, (%rsi)
	movl	$0xc0010130, %ecx
	movl	$0x16, %eax
	xorl	%edx, %edx
	wrmsr
	.if	\after
	movl	$1, %eax
	xorl	%ecx, %ecx
	cpuid
	.endif
	movq	(%rsp), %rax
	movq	8(%rax), %rbx
	movq	16(%rax), %rcx
	movq	24(%rax), %rdx
	movq	32(%rax), %rsi
	movq	40(%rax), %rdi
	movq	48(%rax), %rbp
	movq	56(%rax), %r8
	movq	64(%rax), %r9
	movq	72(%rax), %r10
	movq	80(%rax), %r11
	movq	88(%rax), %r12
	movq	96(%rax), %r13
	movq	104(%rax), %r14
	movq	112(%rax), %r15
	movq	0(%rax), %rax
	stc
	std
	.if	\before
	sti
	.endif
	rep
	vmmcall
\name\()_behind:
	pushfq
	cli
	cld
	pushq	%rax
	movq	16(%rsp), %rax
	movq	%rbx, 8(%rax)
	movq	%rcx, 16(%rax)
	movq	%rdx, 24(%rax)
	movq	%rsi, 32(%rax)
	movq	%rdi, 40(%rax)
	movq	%rbp, 48(%rax)
	movq	%r8, 56(%rax)
	movq	%r9, 64(%rax)
	movq	%r10, 72(%rax)
	movq	%r11, 80(%rax)
	movq	%r12, 88(%rax)
	movq	%r13, 96(%rax)
	movq	%r14, 104(%rax)
	movq	%r15, 112(%rax)
	popq	0(%rax)
	popq	120(%rax)
	.if	\after
	movl	$1, %eax
	xorl	%ecx, %ecx
	cpuid
	.endif
	popq	%rdi
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.endm

	call_with sweep_call 0 0
	call_with sweep_call_sti 1 0
	call_with sweep_call_cpuid 0 1

	.section .note.GNU-stack, "", @progbits
