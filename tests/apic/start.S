/* SPDX-License-Identifier: MIT */
/*
 * A multiboot image (version 0.6.96: QEMU's -kernel loads one) in 32-bit protected mode without
 * paging, and how its other CPUs get there: SIPI starts them at TRAMPOLINE, below 1 MiB, in real
 * mode.
 */
#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 0x3 /* page-aligned, memory information */
#define STACK_SIZE 4096
#define STACKS 8
#define APIC_ID 0xfee00020
#define CODE 0x08
#define DATA 0x10
#define TRAMPOLINE 0x8000

	.macro	load_segments
	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	.endm

	.section .multiboot, "a"
	.balign 4
	.long	MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

	.text
	.code32
	.globl	_start, bare_trampoline, bare_trampoline_end, bare_stubs
_start:
	cli
	lgdtl	gdt_pointer
	ljmp	$CODE, $1f
1:	load_segments
	movl	$stacks + STACK_SIZE, %esp
	pushl	%ebx
	call	bare_main
2:	hlt
	jmp	2b

ap_start:
	load_segments
	movl	APIC_ID, %eax
	shrl	$24, %eax
	movl	%eax, %ecx
	incl	%eax
	imull	$STACK_SIZE, %eax
	leal	stacks(%eax), %esp
	pushl	%ecx
	call	bare_ap
2:	hlt
	jmp	2b

	.code16
bare_trampoline:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	TRAMPOLINE + (low_pointer - bare_trampoline)
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$CODE, $ap_start
	.balign 4
low_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt
bare_trampoline_end:

	.code32
	/*
	 * 256 entries of 16 bytes. Only NMI and the APIC's vectors come, which push no error code.
	 */
	.balign 16
bare_stubs:
	.set	vector, 0
	.rept	256
	.balign 16
	pushl	$vector
	jmp	common
	.set	vector, vector + 1
	.endr
common:
	pusha
	pushl	32(%esp)
	call	bare_interrupt
	addl	$4, %esp
	popa
	addl	$4, %esp
	iret

	.data
	.balign 8
gdt:
	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt

	.bss
	.balign 16
stacks:
	.skip	STACKS * STACK_SIZE

	.section .note.GNU-stack, "", @progbits
