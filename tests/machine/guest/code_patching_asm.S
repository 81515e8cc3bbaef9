/* SPDX-License-Identifier: MIT */
/* Code that one CPU runs while another changes it, in pages where nothing else is. */
	.text
	.balign 4096
	.globl site_within, site_across, count_beside, run_beside, counted_beside, serialize
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

/* Code in one page with what it writes, and more code there. */
count_beside:
	incq counted_beside(%rip)
	ret
run_beside:
	xorl %eax, %eax
	ret
counted_beside:
	.quad 0
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
