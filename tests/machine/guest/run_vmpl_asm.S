/* SPDX-License-Identifier: MIT */
/* VMPL2 in the round trip: leaves known values in its registers, and takes new ones. */
#define MSR_GHCB 0xc0010130

	.macro ask_for_vmpl0
	movl $MSR_GHCB, %ecx
	movl $0x16, %eax
	xorl %edx, %edx
	wrmsr
	rep
	vmmcall
	.endm

	.text
	.globl round_trip, round_trip_done
round_trip:
	movq %rax, %rbx
	movabsq $0x0123456789abcdef, %rbp
	movabsq $0xf0f1f2f3f4f5f6f7, %r15
	ask_for_vmpl0
round_trip_done:
	movq %r15, %rbx
1:
	ask_for_vmpl0
	incq %rbx
	jmp 1b

	.section .note.GNU-stack, "", @progbits
