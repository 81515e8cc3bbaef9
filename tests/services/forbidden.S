/* SPDX-License-Identifier: MIT */
/*
 * What ring 3 must not have, for mode P of hostile.c: in slots of 16 bytes, in the order of
 * FORBIDDEN in hostile_test.py, which has the exception that each earns. RAX is the address of a
 * buffer, RCX and RDX are 0.
 */
	.macro	forbid code:vararg
	.balign	16
	\code
	ret
	.endm

	.section .rodata
far_kernel:
	.long	0
	.word	8

	.text
	.globl	forbidden, forbidden_end
	.balign	16
forbidden:

/* Of ring 0: APM volume 3, chapter 4. */
	forbid	cli
	forbid	sti
	forbid	inb %dx, %al
	forbid	rdmsr
	forbid	wrmsr
	forbid	mov %cr0, %rax
	forbid	mov %cr3, %rax
	forbid	mov %rax, %cr4
	forbid	mov %cr8, %rax
	forbid	mov %dr7, %rax
	forbid	mov %rax, %dr0
	forbid	lgdt (%rax)
	forbid	lidt (%rax)
	forbid	lldt %cx
	forbid	ltr %cx
	forbid	lmsw %cx
	forbid	clts
	forbid	invlpg (%rax)
	forbid	invd
	forbid	wbinvd
	forbid	swapgs
	forbid	sysretq
	forbid	rdpmc
	forbid	.byte 0xf3, 0x0f, 0x01, 0xfe	/* RMPADJUST */
	forbid	.byte 0x0f, 0x01, 0xfe	/* INVLPGB */
	forbid	.byte 0x0f, 0x01, 0xff	/* TLBSYNC */

/* With UMIP: where ring 0 keeps its tables. */
	forbid	sgdt (%rax)
	forbid	sidt (%rax)
	forbid	sldt %ecx
	forbid	str %ecx
	forbid	smsw %ecx

/* Off in CR4, so that no register of theirs is left for the next service. */
	forbid	wrfsbase %rax
	forbid	wrgsbase %rax
	forbid	xgetbv
	forbid	xsetbv
	forbid	vzeroupper
	forbid	.byte 0x0f, 0x01, 0xee	/* RDPKRU */

/* No system call behind a prefix: REX.W, operand size, REP, LOCK. */
	forbid	.byte 0x48, 0x0f, 0x05
	forbid	.byte 0x66, 0x0f, 0x05
	forbid	.byte 0xf3, 0x0f, 0x05
	forbid	.byte 0xf0, 0x0f, 0x05

/* None in long mode, on AMD. */
	forbid	sysenter

/* Gates and selectors of ring 0: APM volume 2, 4.10 and 8.7. */
	forbid	int $2
	forbid	int3
	forbid	int $8
	forbid	int $28
	forbid	int $29
	forbid	int $0x80
	forbid	lcall *far_kernel(%rip)
	forbid	ljmp *far_kernel(%rip)
	.balign	16
	pushq	$8
	pushq	$0
	lretq
	ret
	.balign	16
	pushq	$0x10
	pushq	$0
	pushq	$2
	pushq	$8
	pushq	$0
	iretq
	ret
	.balign	16
	mov	$0x10, %ecx
	mov	%ecx, %ss
	ret
	.balign	16
	mov	$0x10, %ecx
	mov	%ecx, %ds
	ret
	.balign	16
	mov	$0x2b, %ecx
	mov	%ecx, %ds
	ret

/* An address that is none, for data. */
	.balign	16
	bts	$63, %rax
	mov	(%rax), %al
	ret

	.balign	16
forbidden_end:

/* Its first byte is the last one of a page. */
	.globl	straddling_call, straddling_call_end
	.balign	4096
	.skip	4095, 0xcc
straddling_call:
	syscall
straddling_call_end:
	ret

	.section .note.GNU-stack, "", @progbits
