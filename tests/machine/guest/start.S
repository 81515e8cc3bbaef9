/* SPDX-License-Identifier: MIT */
/*
 * From the launch state, 32-bit protected mode without paging, to guest_start() in long mode.
 * The first GiB is mapped twice in pages of 2 MiB: privately at its own addresses, and without
 * C-bit at 1 GiB and up. All of it is open to ring 3.
 */
#define CPUID_PAGE 0x701000
#define CPUID_ENTRY_SIZE 48
#define CPUID_ENTRY_EBX 28
#define TABLE_LINK 0x07	  /* present, writable, user */
#define PAGE_LARGE 0x87	  /* the same, 2 MiB */
#define CR0_PG_MP_NE 0x80000022
#define CR0_EM 0x4
#define CR4_PAE_OSFXSR_OSXMMEXCPT 0x620
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

	.section .text.start, "ax"
	.code32
	.globl start32
start32:
	cld
	movl $CPUID_PAGE + 16, %esi
	movl CPUID_PAGE, %ecx
find_leaf:
	cmpl $0x8000001f, (%esi)
	je found_leaf
	addl $CPUID_ENTRY_SIZE, %esi
	loop find_leaf
	ud2				/* no handler: a triple fault that the runner sees */
found_leaf:
	movl CPUID_ENTRY_EBX(%esi), %ecx
	andl $0x3f, %ecx
	subl $32, %ecx			/* the C-bit is above bit 31 on every CPU that has SNP */
	movl $1, %ebp
	shll %cl, %ebp			/* its mask in the upper half of an entry */

	movl $pd_private + TABLE_LINK, pdpt
	movl %ebp, pdpt + 4
	movl $pd_shared + TABLE_LINK, pdpt + 8
	movl %ebp, pdpt + 12
	movl $pdpt + TABLE_LINK, pml4
	movl %ebp, pml4 + 4

	xorl %edi, %edi
	movl $PAGE_LARGE, %eax
map_page:
	movl %eax, pd_private(%edi)
	movl %ebp, pd_private + 4(%edi)
	movl %eax, pd_shared(%edi)
	movl $0, pd_shared + 4(%edi)
	addl $0x200000, %eax
	addl $8, %edi
	cmpl $4096, %edi
	jne map_page

	movl $pml4, %eax
	movl %eax, %cr3
	movl %cr4, %eax
	orl $CR4_PAE_OSFXSR_OSXMMEXCPT, %eax
	movl %eax, %cr4
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl %cr0, %eax
	andl $~CR0_EM, %eax
	orl $CR0_PG_MP_NE, %eax
	movl %eax, %cr0
	lgdt gdt_pointer
	ljmp $0x08, $start64

	.code64
start64:
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	shlq $32, %rbp			/* CR3 with the C-bit, as the rest */
	movl $pml4, %eax
	orq %rbp, %rax
	movq %rax, %cr3
	movq $stack_top, %rsp
	xorl %ebp, %ebp
	call guest_start
	ud2

	.section .bss
	.balign 4096
	.globl pml4
pml4:
	.skip 4096
pdpt:
	.skip 4096
pd_private:
	.skip 4096
pd_shared:
	.skip 4096
	.skip 16384
	.globl stack_top
stack_top:
	.skip 4096

	.section .note.GNU-stack, "", @progbits
