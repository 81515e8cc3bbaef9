/* SPDX-License-Identifier: MIT */
/*
 * void wait_halt(struct cpu *cpu), bool wait_vmgexit(struct cpu *cpu): halt or leave this VMPL, but
 * not while an event is pending, which nobody would look at before somebody else wakes us. #HV
 * within the bounds is sent to wait_abort (trap/entry.S). The second returns whether it left.
 */
#include "monitor/base/cpu_layout.h"

	.text
	.globl	wait_halt, wait_vmgexit, wait_begin, wait_end, wait_abort
wait_begin:
wait_halt:
	cmpl	$0, CPU_SIGNALS(%rdi)
	jne	wait_abort
	hlt
	ret
wait_vmgexit:
	cmpl	$0, CPU_SIGNALS(%rdi)
	jne	wait_abort
	rep
	vmmcall
wait_end:
	movl	$1, %eax
	ret
wait_abort:
	xorl	%eax, %eax
	ret

	.section .note.GNU-stack, "", @progbits
