/* SPDX-License-Identifier: MIT */
/*
 * What runs from the ROM: 16-bit reset and AP start, to 64-bit mode. Nothing here writes guest RAM,
 * for the launch image is already in it: page tables and GDT are constants of the ROM, and APs
 * start in the alias of this page below 1 MiB, by a SIPI with vector 0xff.
 */
#define SELECTOR_CODE32 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_CODE64 0x18

	.section .rom.tables, "a", @progbits
	.balign 4096
/* Identity map of 512 GiB. Accessed and dirty are preset: the CPU cannot write them here. */
rom_pml4:
	.quad rom_pdpt + 0x63
	.fill 511, 8, 0
rom_pdpt:
	.set gib, 0
	.rept 512
	.quad (gib << 30) + 0xe3
	.set gib, gib + 1
	.endr

	.section .rom.boot, "ax", @progbits
	.code16
/* Offset 0 of the page: APs start here with CS = 0xff00. */
rom_ap_start:
	movl $1, %ebp
	jmp rom_enter

	.globl rom_reset
rom_reset:
	xorl %ebp, %ebp
rom_enter:
	cli
	cld
	/*
	 * CS covers this page at its offset 0xf000 after reset, at 0 after SIPI: take it from CS.
	 */
	movw %cs, %ax
	xorl %ebx, %ebx
	cmpw $0xff00, %ax
	je 1f
	movl $0xf000, %ebx
1:	lgdtl %cs:(rom_gdt_pointer - rom_ap_start)(%bx)
	movl %cr0, %eax
	andl $0x9fffffff, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $SELECTOR_CODE32, $rom_protected

	.balign 8
rom_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00cf93000000ffff
	.quad 0x00af9b000000ffff
rom_gdt_pointer:
	.word 31
	.long rom_gdt

	.code32
rom_protected:
	movw $SELECTOR_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl %cr4, %eax
	orl $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
	movl %eax, %cr4
	movl $rom_pml4, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x1900, %eax /* LME, NXE, SVME */
	wrmsr
	movl $0x80010033, %eax /* PG, WP, NE, ET, MP, PE */
	movl %eax, %cr0
	ljmpl $SELECTOR_CODE64, $rom_long

	.code64
rom_long:
	testl %ebp, %ebp
	jnz 2f
	movl $rom_payload, %esi
	movabsq $HV_BASE, %rdi
	movl $hv_loaded_size, %ecx
	rep movsb
	movabsq $hv_bss_start, %rdi
	movabsq $hv_bss_end, %rcx
	subq %rdi, %rcx
	xorl %eax, %eax
	rep stosb
2:	movabsq $entry_64, %rax
	jmpq *%rax

	.section .rom.reset, "ax", @progbits
	.code16
	/* At F000:FFF0; the jump stays in the segment. */
	jmp rom_reset
