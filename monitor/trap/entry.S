/* SPDX-License-Identifier: MIT */
/*
 * Ways into ring 0, and the one way into ring 3, which looks for events first.
 *
 * GS is the service's all the time, but for the four instructions in which SYSCALL finds its stack:
 * no handler needs GS, for every stack pointer tells its vCPU (cpu_layout.h). So #HV and NMI may
 * come anywhere. They run on IST stacks, and what they interrupt keeps its registers.
 */
#include "monitor/base/cpu_layout.h"

	.text

/* Exceptions 0..31: 16 bytes each, so that the IDT can be filled by arithmetic. */
	.macro	trap_stub vector
	.balign	16
	/* These push an error code: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX. */
	.if	!(((1 << \vector) >> 8) & 0x60227d)
	pushq	$0
	.endif
	pushq	$\vector
	jmp	trap_common
	.endm

	.globl	trap_stubs
	.balign	16
trap_stubs:
	.set	vector, 0
	.rept	32
	trap_stub vector
	.set	vector, vector + 1
	.endr

/* Up to trap_syscall_stacked, RSP is whatever the service put there: nothing may rest on it. */
	.globl	trap_syscall, trap_syscall_stacked
trap_syscall:
	swapgs
	movq	%rsp, %gs:CPU_USER_RSP
	movq	%gs:CPU_KERNEL_RSP, %rsp
trap_syscall_stacked:
	pushq	$SELECTOR_USER_DS
	pushq	%gs:CPU_USER_RSP
	swapgs
	pushq	%r11
	pushq	$SELECTOR_USER_CS
	pushq	%rcx
	pushq	$0
	pushq	$VECTOR_SYSCALL

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
	addq	$16, %rsp
	iretq

/*
 * int user_resume(struct cpu *cpu, const struct user_regs *regs): into ring 3. Returns, through
 * user_return(), what that is given; or at once with 0 when an event is pending. Nothing else enters
 * ring 3, so no event that came in ring 0 waits until ring 3 comes back.
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
	movq	%rsp, CPU_KERNEL_RSP(%rdi)
	movq	%rsp, CPU_TSS_RSP0(%rdi)
/* #HV within these bounds is sent to user_resume_abort: else its event would wait for the next. */
user_resume_begin:
	cmpb	$0, CPU_EVENT_PENDING(%rdi)
	jne	user_resume_abort
	pushq	$SELECTOR_USER_DS
	pushq	56(%rsi)
	pushq	136(%rsi)
	pushq	$SELECTOR_USER_CS
	pushq	128(%rsi)
	movq	0(%rsi), %rax
	movq	8(%rsi), %rbx
	movq	16(%rsi), %rcx
	movq	24(%rsi), %rdx
	movq	40(%rsi), %rdi
	movq	48(%rsi), %rbp
	movq	64(%rsi), %r8
	movq	72(%rsi), %r9
	movq	80(%rsi), %r10
	movq	88(%rsi), %r11
	movq	96(%rsi), %r12
	movq	104(%rsi), %r13
	movq	112(%rsi), %r14
	movq	120(%rsi), %r15
	movq	32(%rsi), %rsi
	iretq
user_resume_end:

user_resume_abort:
	xorl	%edi, %edi

/* _Noreturn void user_return(int value): ends the user_resume() of this CPU, on whatever stack. */
	.globl	user_return
user_return:
	andq	$-CPU_BLOCK_SIZE, %rsp
	movq	CPU_KERNEL_RSP(%rsp), %rsp
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	movl	%edi, %eax
	ret

/*
 * bool wait_vmgexit(struct cpu *cpu), bool wait_halt(struct cpu *cpu): leave this VMPL or halt, but
 * not while an event is pending, which nobody would look at before somebody else wakes us. #HV
 * within the bounds is sent to wait_abort. Return whether the instruction was executed.
 */
	.globl	wait_vmgexit, wait_vmgexit_end, wait_halt, wait_halt_end, wait_abort
wait_vmgexit:
	cmpb	$0, CPU_EVENT_PENDING(%rdi)
	jne	wait_abort
	rep
	vmmcall
wait_vmgexit_end:
	movl	$1, %eax
	ret
wait_halt:
	cmpb	$0, CPU_EVENT_PENDING(%rdi)
	jne	wait_abort
	hlt
wait_halt_end:
	movl	$1, %eax
	ret
wait_abort:
	xorl	%eax, %eax
	ret

	.section .note.GNU-stack, "", @progbits
