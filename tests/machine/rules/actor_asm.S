/* SPDX-License-Identifier: MIT */
/* uint64_t actor_guard(task, arg, rsp): calls task(arg), or continues at actor_guard_end. */
	.text
	.globl actor_guard, actor_guard_end
actor_guard:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	subq $8, %rsp
	movq %rsp, (%rdx)
	movq %rdi, %rax
	movq %rsi, %rdi
	call *%rax
actor_guard_end:
	addq $8, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

/* actor_call_on(function, stack_top): does not return. */
	.globl actor_call_on
actor_call_on:
	movq %rsi, %rsp
	xorl %ebp, %ebp
	call *%rdi
	ud2

	.section .note.GNU-stack, "", @progbits
