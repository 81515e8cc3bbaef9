/* SPDX-License-Identifier: MIT */
/* Accesses, each with its address known. */
	.text
	.globl load_word_at, load_word
load_word_at:
	xorl %eax, %eax
load_word:
	{disp8} movq 0(%rdi), %rax	/* four bytes */
	ret

	.globl store_word_at, store_word
store_word_at:
store_word:
	movq %rsi, (%rdi)
	ret

	.globl call_at
call_at:
	call *%rdi
	ret

	.globl load_on_stack, load_on_stack_end
load_on_stack:
	movq %rsp, load_on_stack_rsp
	movq %rsi, %rsp
	movq (%rdi), %rax
load_on_stack_end:
	ret

/* Ring 3 starts here and does not get past it. */
	.globl load_word_user
load_word_user:
	movq 0x1000000, %rax	/* TEST_PAGE */
	ud2

	.section .bss
	.globl load_on_stack_rsp
load_on_stack_rsp:
	.skip 8

	.section .note.GNU-stack, "", @progbits
