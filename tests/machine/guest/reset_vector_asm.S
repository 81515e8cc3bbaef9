/* SPDX-License-Identifier: MIT */
/* The last page below 4 GiB: firmware of a few instructions, in real mode, at VMPL2. */
#define MSR_GHCB 0xc0010130
#define RUN_VMPL0 0x16

	.section .flash, "ax", @progbits
	.code16
flash_page:
	.ascii "a page of firmware"

	.org 0xf00
flash_code:
	movl $0x600df1a5, %ebx
	movl %cs:(0xf000), %esi		/* "a pa" */
	movl $MSR_GHCB, %ecx
again:
	movl $RUN_VMPL0, %eax
	xorl %edx, %edx
	wrmsr
	rep
	vmmcall
	incl %ebx
	jmp again

	.org 0xff0
	jmp flash_code
	.org 0x1000

	.section .note.GNU-stack, "", @progbits
