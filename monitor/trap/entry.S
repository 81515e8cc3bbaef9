/* SPDX-License-Identifier: MIT */
/*
 * Ways into ring 0, and the one way into ring 3, which looks for events first.
 *
 * All of them are gates, so that ring 0 never runs on a stack pointer of ring 3, and RSP always
 * tells the vCPU (cpu_layout.h): nothing here needs GS, which stays the service's. So #HV and NMI
 * may come anywhere, on the stack of what they interrupt, and that keeps its registers. What moves
 * RSP here does it in one instruction.
 */
#include "monitor/base/cpu_layout.h"

	.text

/* As trap_common pushes them. */
	.macro	pop_registers
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rbp
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rbx
	popq	%rax
	.endm

/* Exceptions 0..31: 16 bytes each, so that the IDT can be filled by arithmetic. */
	.macro	trap_stub vector
	.balign	16
	.if	\vector == 28
	jmp	trap_hv
	.else
	/* These push an error code: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX. */
	.if	!(((1 << \vector) >> 8) & 0x60227d)
	pushq	$0
	.endif
	pushq	$\vector
	jmp	trap_common
	.endif
	.endm

	.globl	trap_stubs
	.balign	16
trap_stubs:
	.set	vector, 0
	.rept	32
	trap_stub vector
	.set	vector, vector + 1
	.endr

/*
 * #HV is counted. It ends the run of ring 3. Code of ring 0 that was about to give the CPU away
 * (the bounds below) starts over, or nobody would look at the doorbell until something else comes.
 *
 * The host may signal again at any instruction, here too, for the guest can write the doorbell
 * page. Then this runs once more on top of itself, and each time takes HV_FRAME_SIZE bytes,
 * whatever is interrupted: it calls nothing, and the CPU aligns the stack to 16. cpu_layout.h has
 * the room.
 */
trap_hv:
	pushq	%rax
	movq	%rsp, %rax
	andq	$-CPU_BLOCK_SIZE, %rax
	incl	CPU_SIGNALS(%rax)
	testb	$3, 16(%rsp)
	jnz	trap_hv_of_user
	cmpq	$user_resume_begin, 8(%rsp)
	jb	1f
	cmpq	$user_resume_end, 8(%rsp)
	jae	1f
	movq	$user_resume_abort, 8(%rsp)
1:	cmpq	$wait_begin, 8(%rsp)
	jb	2f
	cmpq	$wait_end, 8(%rsp)
	jae	2f
	movq	$wait_abort, 8(%rsp)
2:	popq	%rax
	iretq
trap_hv_of_user:
	popq	%rax
	pushq	$0
	pushq	$28

trap_common:
	pushq	%rax
	pushq	%rbx
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%rbp
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	/* Whatever ring 3 set: no AC (it would lift SMAP), no DF, no NT, no TF. */
	pushq	$2
	popfq
	movq	%rsp, %rdi
	call	trap_handle
	/* Back into ring 0, always: ring 3 is entered at one place, user_resume. */
	pop_registers
	addq	$16, %rsp
	iretq

/*
 * int user_resume(struct cpu *cpu, const struct trap_frame *regs): into ring 3. Returns, through
 * user_return(), what that is given; or at once with 0 when an event is pending. Nothing else
 * enters ring 3, so no event that came in ring 0 waits until ring 3 comes back.
 */
	.globl	user_resume, user_resume_begin, user_resume_end, user_resume_abort
user_resume:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$8, %rsp
	movq	%rsp, CPU_TSS_RSP0(%rdi)
/* #HV within these bounds is sent to user_resume_abort: else its event would wait for the next. */
user_resume_begin:
	cmpl	$0, CPU_SIGNALS(%rdi)
	jne	user_resume_abort
	pushq	$SELECTOR_USER_DS
	pushq	160(%rsi)
	pushq	152(%rsi)
	pushq	$SELECTOR_USER_CS
	pushq	136(%rsi)
	subq	$15 * 8, %rsp
	movq	%rsp, %rdi
	movl	$15, %ecx
	rep movsq
	pop_registers
	iretq
user_resume_end:

user_resume_abort:
	xorl	%edi, %edi

/* _Noreturn void user_return(int value): ends the user_resume() of this CPU, on whatever stack. */
	.globl	user_return
user_return:
	movq	%rsp, %rax
	andq	$-CPU_BLOCK_SIZE, %rax
	movq	CPU_TSS_RSP0(%rax), %rsp
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	movl	%edi, %eax
	ret

	.section .note.GNU-stack, "", @progbits
