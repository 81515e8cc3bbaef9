/* SPDX-License-Identifier: MIT */
/*
 * void vmrun(struct vmcb *vmcb, struct guest_regs *regs): one round trip. GIF = 0 before and after.
 * IF must be 1 at VMRUN, or with V_INTR_MASKING no physical interrupt ever ends the guest's run.
 * STI and VMRUN do not follow each other: QEMU takes the shadow of STI along into the guest, whose
 * own STI then has none where it is the first instruction, and an interrupt comes before its HLT.
 */
#define CR0_PG_BIT 31

	.text
	.globl vmrun
vmrun:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rsi
	movq %rdi, %rax
	movq %rsi, %r15
	movq 0x00(%r15), %rbx
	movq 0x08(%r15), %rcx
	movq 0x10(%r15), %rdx
	movq 0x18(%r15), %rsi
	movq 0x20(%r15), %rdi
	movq 0x28(%r15), %rbp
	movq 0x30(%r15), %r8
	movq 0x38(%r15), %r9
	movq 0x40(%r15), %r10
	movq 0x48(%r15), %r11
	movq 0x50(%r15), %r12
	movq 0x58(%r15), %r13
	movq 0x60(%r15), %r14
	movq 0x68(%r15), %r15
	vmload %rax
	sti
	nop
	vmrun %rax
	cli
	vmsave %rax
	/*
	 * QEMU restores CR0 while CR4 is still the guest's, and leaves PG clear where that has PAE
	 * clear and EFER.LME set (cpu_x86_update_cr0() in its target/i386/helper.c). The next VMRUN
	 * would run without nested paging.
	 */
	movq %cr0, %rax
	btsq $CR0_PG_BIT, %rax
	jc paging_on
	movq %rax, %cr0
paging_on:
	xchgq %r15, (%rsp)
	movq %rbx, 0x00(%r15)
	movq %rcx, 0x08(%r15)
	movq %rdx, 0x10(%r15)
	movq %rsi, 0x18(%r15)
	movq %rdi, 0x20(%r15)
	movq %rbp, 0x28(%r15)
	movq %r8, 0x30(%r15)
	movq %r9, 0x38(%r15)
	movq %r10, 0x40(%r15)
	movq %r11, 0x48(%r15)
	movq %r12, 0x50(%r15)
	movq %r13, 0x58(%r15)
	movq %r14, 0x60(%r15)
	popq %rax
	movq %rax, 0x68(%r15)
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret
