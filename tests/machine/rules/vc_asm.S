/* SPDX-License-Identifier: MIT */
#define MSR_GHCB 0xc0010130
#define RUN_VMPL0 0x16

	.text
/* void vc_execute(const struct vc_jump *jump) */
	.globl vc_execute
vc_execute:
	movq 16(%rdi), %rax
	movq 24(%rdi), %rcx
	movq 32(%rdi), %rdx
	pushq 8(%rdi)
	pushq (%rdi)
	lretq

/*
 * Handlers of protected mode without long mode: they note the exception, and ask for VMPL0. Their
 * level starts anew each time, so they do not come back.
 */
	.code32
	.globl vc_legacy_vc, vc_legacy_gp, vc_legacy_ud
vc_legacy_ud:
	movl $6, vc_legacy_vector
	movl $0, vc_legacy_error
	jmp note_eip
vc_legacy_gp:
	movl $13, vc_legacy_vector
	popl vc_legacy_error
	jmp note_eip
vc_legacy_vc:
	movl $29, vc_legacy_vector
	popl vc_legacy_error
note_eip:
	popl vc_legacy_eip
	movl $MSR_GHCB, %ecx
	movl $RUN_VMPL0, %eax
	xorl %edx, %edx
	wrmsr
	rep
	vmmcall
	jmp .
/*
 * The same in real mode, for each vector: copied to VC_REAL_HANDLERS of VC_REAL_PAGE, where DS is.
 */
#define REAL_RESULT 0x400
	.code16
	.globl vc_real_handlers, vc_real_handlers_end
vc_real_handlers:
	.set vector, 0
	.rept 32
	pushw $vector
	.byte 0xe9
	.word note_real - 1f
1:
	.set vector, vector + 1
	.endr
note_real:
	popw %ax
	movw %ax, REAL_RESULT
	popw %ax
	movw %ax, REAL_RESULT + 2
	movl $MSR_GHCB, %ecx
	movl $RUN_VMPL0, %eax
	xorl %edx, %edx
	wrmsr
	rep
	vmmcall
	jmp .
vc_real_handlers_end:
	.code64

	.section .bss
	.balign 8
	.globl vc_legacy_vector, vc_legacy_error, vc_legacy_eip
vc_legacy_vector:
	.skip 4
vc_legacy_error:
	.skip 4
vc_legacy_eip:
	.skip 4

	.section .note.GNU-stack, "", @progbits
