/* SPDX-License-Identifier: MIT */
/*
 * void modes_run(uint32_t page): out of long mode and paging, stores to a page that PVALIDATE has
 * taken away, changes CR4.PAE, and back. #VC of a store is noted and skipped.
 */
#define CODE64 0x08
#define CODE32 0x18
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define VC_GATE (29 * 8)
#define GATE_INTERRUPT32 0x8e00
#define VC_VECTOR 0x1d0000

	.text
	.code64
	.globl modes_run
modes_run:
	pushq %rbx
	pushq %rbp
	sidt old_idt
	movl %edi, %ebx			/* the page */
	lgdt modes_gdt_pointer
	pushq $CODE32
	pushq $without_paging
	lretq

	.code32
without_paging:
	movl %cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0
	movl $on_vc, %eax
	movw %ax, modes_idt + VC_GATE
	movw $CODE32, modes_idt + VC_GATE + 2
	movl $on_vc, %eax
	movw $GATE_INTERRUPT32, %ax
	movl %eax, modes_idt + VC_GATE + 4
	lidt modes_idt_pointer

	movl $modes_raised, %esi	/* where the next store says what it raised */
	call store
	call take_away
	call store
	movl %cr4, %eax
	andl $~CR4_PAE, %eax
	movl %eax, %cr4
	call store
	call take_away
	call store
	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	call store
	call take_away
	call store

	movl %cr0, %eax
	orl $CR0_PG, %eax
	movl %eax, %cr0
	ljmp $CODE64, $with_paging

store:
	xorl %eax, %eax
	movl %ebx, (%ebx)		/* two bytes */
	movl %eax, (%esi)
	addl $4, %esi
	ret

/* Gives the page, uses it, and takes it away. */
take_away:
	movl $1, %edx
	call validate
	movl %ebx, (%ebx)
	xorl %edx, %edx
validate:
	movl %ebx, %eax
	xorl %ecx, %ecx
	.byte 0xf2, 0x0f, 0x01, 0xff	/* PVALIDATE */
	addl %eax, modes_pvalidate
	ret

on_vc:
	popl %eax
	orl $VC_VECTOR, %eax
	addl $2, (%esp)
	iretl

	.code64
with_paging:
	lidt old_idt
	lgdt gdt_pointer
	popq %rbp
	popq %rbx
	ret

	.section .data
	.balign 16
modes_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* CODE64 */
	.quad 0x00cf93000000ffff
	.quad 0x00cf9b000000ffff	/* CODE32 */
modes_gdt_end:
modes_gdt_pointer:
	.word modes_gdt_end - modes_gdt - 1
	.quad modes_gdt
modes_idt_pointer:
	.word VC_GATE + 7
	.long modes_idt

	.section .bss
	.balign 16
modes_idt:
	.skip VC_GATE + 8
	.globl modes_raised, modes_pvalidate
modes_raised:
	.skip 24
modes_pvalidate:
	.skip 4
old_idt:
	.skip 10

	.section .note.GNU-stack, "", @progbits
