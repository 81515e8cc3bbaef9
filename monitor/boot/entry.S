/* SPDX-License-Identifier: MIT */
/*
 * Where the launch VMSA starts (abi/params.h): 32-bit protected mode, paging off, so everything
 * here is private memory. EBX = gPA of the parameter block, EBP = gPA of the image. This page is
 * the only one that the tables also map at its own address. Words below are patched while paging
 * is off; afterwards nothing here is writable.
 */
#include "monitor/boot/boot.h"

#define IMAGE(symbol) ((symbol) - boot_entry)

	.section .boot, "ax"
	.code32
	.globl	boot_entry
boot_entry:
	cld
	/* The C-bit's position: EBX[5:0] of leaf 0x8000001F in the CPUID page. */
	movl	PARAMS_CPUID_PAGE(%ebx), %esi
	movl	(%esi), %ecx
	cmpl	$CPUID_ENTRIES_MAX, %ecx
	ja	boot_refuse
	addl	$CPUID_FIRST_ENTRY, %esi
1:	testl	%ecx, %ecx
	jz	boot_refuse
	cmpl	$CPUID_LEAF_SEV, (%esi)
	je	2f
	addl	$CPUID_ENTRY_SIZE, %esi
	decl	%ecx
	jmp	1b
2:	movl	CPUID_ENTRY_EBX(%esi), %ecx
	andl	$0x3f, %ecx
	cmpl	$32, %ecx
	jb	boot_refuse
	cmpl	$52, %ecx
	jae	boot_refuse
	movl	%ecx, IMAGE(boot_c_bit)(%ebp)
	/* Bit 32..51 as a bit of the upper half; shifts take the count modulo 32. */
	movl	$1, %edx
	shll	%cl, %edx

	/* In every present entry of every table. */
	movl	PARAMS_TABLES(%ebx), %esi
	movl	PARAMS_TABLES_SIZE(%ebx), %ecx
	shrl	$3, %ecx
3:	testb	$1, (%esi)
	jz	4f
	orl	%edx, 4(%esi)
4:	addl	$8, %esi
	decl	%ecx
	jnz	3b

	/* Addresses that are known only now. */
	leal	IMAGE(boot_gdt)(%ebp), %eax
	movl	%eax, IMAGE(boot_gdt_base)(%ebp)
	leal	IMAGE(boot_long)(%ebp), %eax
	movl	%eax, IMAGE(boot_far_jump)(%ebp)

	/* Long mode: PAE, the tables, EFER.LME and NXE, paging with write protection. */
	movl	$CR4_PAE_BIT, %eax
	movl	%eax, %cr4
	movl	PARAMS_TABLES(%ebx), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER_NUMBER, %ecx
	rdmsr
	orl	$EFER_LME_NXE, %eax
	wrmsr
	lgdt	IMAGE(boot_gdt_pointer)(%ebp)
	movl	$CR0_LONG_MODE, %eax
	movl	%eax, %cr0
	ljmpl	*IMAGE(boot_far_jump)(%ebp)

/* No C-bit, no private memory: ask for the end by the MSR protocol (GHCB 2.3.1). */
boot_refuse:
	movl	$MSR_GHCB_NUMBER, %ecx
	movl	$TERMINATE_NO_SNP, %eax
	xorl	%edx, %edx
	wrmsr
	rep
	vmmcall
	hlt
	jmp	boot_refuse

	.code64
boot_long:
	xorl	%eax, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%eax, %ss
	/* boot_main(gPA of the parameters, gPA of the image, position of the C-bit) */
	movl	%ebx, %edi
	movl	%ebp, %esi
	movabsq	$boot_high, %rax
	jmpq	*%rax
boot_high:
	/* From here on at the linked address. CR3 with C-bit, which 32-bit code could not say. */
	movl	boot_c_bit(%rip), %edx
	xorl	%eax, %eax
	btsq	%rdx, %rax
	movq	%cr3, %rcx
	orq	%rax, %rcx
	movq	%rcx, %cr3
	movq	$boot_stack_top, %rsp
	xorl	%ebp, %ebp
	call	boot_main
	ud2

	.balign	8
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 64-bit code, accessed: the CPU writes nothing here */
boot_gdt_pointer:
	.word	15
boot_gdt_base:
	.long	0
boot_far_jump:
	.long	0
	.word	8
	.balign	4
boot_c_bit:
	.long	0

	.section .bss.boot, "aw", @nobits
	.balign	16
boot_stack:
	.skip	BOOT_STACK_SIZE
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
