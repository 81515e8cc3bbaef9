/* SPDX-License-Identifier: MIT */
/*
 * What counts at the guest's level while VMPL0 waits for its timer (preempt.c): 32-bit code without
 * paging or stack, which runs wherever it is copied to. Some tenths of a second on hardware and
 * more in emulation, both many periods; and then it asks for VMPL0 by the MSR protocol (GHCB
 * specification, 2.3.1).
 */
#include "monitor/boot/boot.h"

	.section .rodata
	.globl	counting_begin, counting_end
	.code32
counting_begin:
	movl	$COUNTING_TURNS, %ecx
1:	decl	%ecx
	jnz	1b
2:	movl	$MSR_GHCB_NUMBER, %ecx
	movl	$GHCB_RUN_VMPL0, %eax
	xorl	%edx, %edx
	wrmsr
	rep
	vmmcall
	jmp	2b
counting_end:

	.section .note.GNU-stack, "", @progbits
