/* SPDX-License-Identifier: MIT */
/* Instructions that raise #VC, each with its address known. */
	.macro function name, label, instruction:vararg
	.globl \name, \label
\name:
	pushq %rbx
	xorl %eax, %eax
	xorl %ecx, %ecx
	movl $0x80, %edx
\label:
	\instruction
	popq %rbx
	ret
	.endm

	.text
	function vc_run_cpuid, vc_cpuid, cpuid
	function vc_run_out, vc_out, outb %al, %dx
	function vc_run_in, vc_in, inb %dx, %al
	function vc_run_vmmcall, vc_vmmcall, vmmcall

	.globl vc_run_rdmsr, vc_rdmsr
vc_run_rdmsr:
	movl $0x1b, %ecx	/* APIC base: not one that the guest has of its own */
vc_rdmsr:
	rdmsr
	ret

/* Ring 3 starts at these and does not get past them. */
	.globl vc_user, vc_user_vmmcall
vc_user:
	cpuid
	ud2
vc_user_vmmcall:
	vmmcall
	ud2

	.section .note.GNU-stack, "", @progbits
