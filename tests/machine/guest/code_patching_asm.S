/* SPDX-License-Identifier: MIT */
/* Code that one CPU runs while another changes it, in pages where nothing else is. */
	.text
	.balign 4096
	.globl site_within, site_across, serialize
	.skip 64
/* Returns its immediate operand. */
site_within:
	movl $0, %eax
	ret

	.org site_within + 4096 - 64 - 2
/* The same, with the last three bytes of the operand in the next page. */
site_across:
	movl $0, %eax
	ret
	.balign 4096

/* IRET is a serializing instruction (APM volume 2, section 7.6.4). */
serialize:
	movq %rsp, %rax
	movl %ss, %ecx
	pushq %rcx
	pushq %rax
	pushfq
	movl %cs, %ecx
	pushq %rcx
	leaq 1f(%rip), %rcx
	pushq %rcx
	iretq
1:
	ret

	.section .note.GNU-stack, "", @progbits
