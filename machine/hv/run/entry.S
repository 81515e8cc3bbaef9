/* SPDX-License-Identifier: MIT */
/* Entry in 64-bit mode. */
#include "machine/hv/base/stacks.h"

	.section .text.entry, "ax", @progbits
	.code64
	.globl entry_64
/* EBP: 0 on the boot CPU. Each CPU takes the stack of its APIC id; IDs beyond are left asleep. */
entry_64:
	movl %ebp, %r12d
	movl $1, %eax
	cpuid
	shrl $24, %ebx
	cmpl $HV_CPUS_MAX, %ebx
	jae 1f
	incl %ebx
	shlq $HV_STACK_SHIFT, %rbx
	movabsq $hv_stacks, %rsp
	addq %rbx, %rsp
	xorl %ebp, %ebp
	movabsq $hv_main, %rax
	movabsq $hv_ap_main, %rcx
	testl %r12d, %r12d
	cmovnzq %rcx, %rax
	call *%rax
1:	cli
	hlt
	jmp 1b
