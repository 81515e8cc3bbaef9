/* SPDX-License-Identifier: MIT */
/*
 * The last page of firmware that carries a test guest: from a PC's reset vector, in real mode, to
 * the guest's entry in 64-bit mode, as Socle enters it (tests/attacks/guest/start.S). It is for an
 * SVSM that starts its guest as an SNP host starts firmware. What is loaded is in the flash alone,
 * so the guest is copied to where it was linked; ../firmware.py packs it all, and fills in the
 * words at the start.
 */
#define PAGE_START 0xfffff000
#define GUEST 0x200000
#define TABLES 0x1f0000	     /* ../firmware.py says that this is memory, and what the next are */
#define PDPT (TABLES + 0x1000)
#define BLOB (TABLES + 0x3000)
#define SECRETS_PAGE 0x1fd000
#define CPUID_PAGE 0x1fe000
#define CPUID_ENTRY_SIZE 48
#define CPUID_ENTRY_EBX 28
#define BLOB_MAGIC 0x45444d41 /* Linux: CC_BLOB_SEV_HDR_MAGIC */
#define TABLE_LINK 0x03
#define PAGE_1G 0x83
#define LAST_GIB 0xc0000000
#define CR0_NO_CACHE 0x60000000
#define CR0_PE 0x1
#define CR0_PG_MP_NE 0x80000022
#define CR4_PAE_OSFXSR_OSXMMEXCPT 0x620
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

	.section .flash, "ax", @progbits
	.code16
	.globl page
page:
source:
	.long 0			/* the guest in the flash */
words:
	.long 0			/* of 4 bytes */
entry:
	.long 0
	.long 0

code_16:
	cli
	cld
	lgdtl %cs:(0xf000 + gdt_pointer - page)
	movl %cr0, %eax
	andl $~CR0_NO_CACHE, %eax
	orl $CR0_PE, %eax
	movl %eax, %cr0
	ljmpl $0x08, $code_32

	.balign 8
gdt_table:
	.quad 0
	.quad 0x00cf9b000000ffff	/* code of 32 bits */
	.quad 0x00cf93000000ffff
	.quad 0x00af9b000000ffff	/* and of 64 */
gdt_pointer:
	.word 31
	.long gdt_table

	.code32
code_32:
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl source, %esi
	movl words, %ecx
	movl $GUEST, %edi
	rep movsl

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

	movl $PDPT + TABLE_LINK, TABLES
	movl %ebp, TABLES + 4
	movl $PAGE_1G, PDPT
	movl %ebp, PDPT + 4
	movl $LAST_GIB + PAGE_1G, PDPT + 24	/* this page */
	movl %ebp, PDPT + 28

	movl $BLOB_MAGIC, BLOB		/* Linux: struct cc_blob_sev_info */
	movl $SECRETS_PAGE, BLOB + 8
	movl $0x1000, BLOB + 16
	movl $CPUID_PAGE, BLOB + 24
	movl $0x1000, BLOB + 32

	movl $TABLES, %eax
	movl %eax, %cr3
	movl %cr4, %eax
	orl $CR4_PAE_OSFXSR_OSXMMEXCPT, %eax
	movl %eax, %cr4
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl %cr0, %eax
	orl $CR0_PG_MP_NE, %eax
	movl %eax, %cr0
	ljmp $0x18, $code_64

	.code64
code_64:
	movl $BLOB, %esi
	movl entry(%rip), %eax
	jmpq *%rax

	.org 0xff0			/* the reset vector */
	.code16
	jmp code_16
	.org 0x1000

	.section .note.GNU-stack, "", @progbits
