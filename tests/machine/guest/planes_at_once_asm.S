/* SPDX-License-Identifier: MIT */
/* VMPL2 counts in RBX how often it asks for VMPL0; XMM0, RBP and DR0 are its own. */
#define MSR_GHCB 0xc0010130

	.text
	.globl count_at_level2
count_at_level2:
	movabsq $0x2222222222222222, %rax
	movq %rax, %rbp
	movq %rax, %xmm0
	movq %rax, %dr0
	xorl %ebx, %ebx
1:
	incl %ebx
	movl $MSR_GHCB, %ecx
	movl $0x16, %eax
	xorl %edx, %edx
	wrmsr
	rep
	vmmcall
	jmp 1b

/* void dirty_registers(void): other values in what a CPU does not switch by itself. */
	.globl dirty_registers
dirty_registers:
	xorl %eax, %eax
	movq %rax, %xmm0
	movq %rax, %dr0
	ret

	.section .note.GNU-stack, "", @progbits
