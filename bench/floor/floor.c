// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The least that a Linux in a virtual machine costs on plain QEMU: each CPU of the running kernel
 * goes on as the guest of a hypervisor that does nothing. Its nested page tables map all memory to
 * itself, and nothing is intercepted but what is asked for. What machine_speed.py --floor measures
 * so is below what any hypervisor reaches that keeps its guest from something.
 *
 *	leaf=1|2|3	nested pages of 1 GiB, 2 MiB or 4 KiB
 *	exits=1		CPUID leaves the guest, and each interrupt does three times: as it comes,
 *			and twice before its handler is left, as the end of an interrupt does on SNP
 */
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/special_insns.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/objtool.h>
#include <linux/smp.h>
#include <linux/stringify.h>

/* VMCB: APM volume 2, appendix B. */
#define INTERCEPTS_1 0x00c
#define INTERCEPTS_2 0x010
#define ASID 0x058
#define EXITCODE 0x070
#define NP_ENABLE 0x090
#define N_CR3 0x0b0
#define CS 0x410
#define SS 0x420
#define GDTR 0x460
#define IDTR 0x480
#define SAVED_EFER 0x4d0
#define SAVED_CR4 0x548
#define SAVED_CR3 0x550
#define SAVED_CR0 0x558
#define SAVED_DR7 0x560
#define SAVED_DR6 0x568
#define SAVED_RFLAGS 0x570
#define SAVED_RIP 0x578
#define SAVED_RSP 0x5d8
#define SAVED_RAX 0x5f8
#define SAVED_CR2 0x640
#define SAVED_PAT 0x668

#define INTR 1 /* of INTERCEPTS_1 */
#define CPUID (1 << 18)
#define IRET (1 << 20)
#define VMRUN 1 /* of INTERCEPTS_2 */
#define EXIT_INTR 0x60
#define EXIT_CPUID 0x72
#define EXIT_IRET 0x74
#define EXITS_OF_IRET 2

#define CODE_64 0xa9b
#define DATA 0xc93
#define TABLE 0x67ull /* present, writable, user, accessed, dirty */
#define LARGE 0x80ull
#define ENTRIES 512
#define CPUS 8

static int leaf = 1, exits;
module_param(leaf, int, 0);
module_param(exits, int, 0);

/* floor_enter() knows where these are. */
static struct floor_cpu {
	u8 *vmcb;
	u64 vmcb_at, stack, cr3;
	u64 irets; /* exits that IRET has still to make */
	u64 hsave;
} cpus[CPUS];

void floor_enter(struct floor_cpu *cpu);

/*
 * What the code below calls these numbers: the formatter cannot cope with them within its strings.
 */
#define FLOOR_SYMBOL(name, value) asm(".set floor_" #name ", " __stringify(value))
FLOOR_SYMBOL(rflags, SAVED_RFLAGS);
FLOOR_SYMBOL(rsp, SAVED_RSP);
FLOOR_SYMBOL(rip, SAVED_RIP);
FLOOR_SYMBOL(exit_cpuid, EXIT_CPUID);
FLOOR_SYMBOL(exitcode, EXITCODE);
FLOOR_SYMBOL(exit_intr, EXIT_INTR);
FLOOR_SYMBOL(exit_iret, EXIT_IRET);
FLOOR_SYMBOL(rax, SAVED_RAX);
FLOOR_SYMBOL(events, INTR | IRET);
FLOOR_SYMBOL(intercepts, INTERCEPTS_1);
FLOOR_SYMBOL(irets, EXITS_OF_IRET);

/*
 * Returns as the guest. The hypervisor's stack holds the VMCB's address, linear and physical, R15
 * and R14 of the guest and the structure. An exit that was not asked for stops the CPU.
 */
asm(".text\n"
    ".type floor_enter, @function\n"
    "floor_enter:\n"
    "	movq (%rdi), %rdx\n"
    "	pushfq\n"
    "	popq floor_rflags(%rdx)\n"
    "	movq %rsp, floor_rsp(%rdx)\n"
    "	leaq .Lguest(%rip), %rax\n"
    "	movq %rax, floor_rip(%rdx)\n"
    "	movq 16(%rdi), %rsp\n"
    "	movq 24(%rdi), %rax\n"
    "	movq %rax, %cr3\n"
    "	movq 8(%rdi), %rax\n"
    "	movq %rdx, (%rsp)\n"
    "	movq %rax, 8(%rsp)\n"
    "	movq %rdi, 32(%rsp)\n"
    "	vmrun\n"
    ".Lexit:\n"
    "	movq %r15, 16(%rsp)\n"
    "	movq %r14, 24(%rsp)\n"
    "	movq (%rsp), %r15\n"
    "	movq 32(%rsp), %r14\n"
    "	cmpl $floor_exit_cpuid, floor_exitcode(%r15)\n"
    "	je .Lcpuid\n"
    "	cmpl $floor_exit_intr, floor_exitcode(%r15)\n"
    "	je .Lintr\n"
    "	cmpl $floor_exit_iret, floor_exitcode(%r15)\n"
    "	je .Liret\n"
    ".Lstop:\n"
    "	hlt\n"
    "	jmp .Lstop\n"
    ".Lcpuid:\n"
    "	movl floor_rax(%r15), %eax\n"
    "	cpuid\n"
    "	movq %rax, floor_rax(%r15)\n"
    "	addq $2, floor_rip(%r15)\n"
    "	jmp .Lagain\n"
    ".Lintr:\n" /* the guest takes it now */
    "	xorl $floor_events, floor_intercepts(%r15)\n"
    "	movq $floor_irets, 32(%r14)\n"
    "	jmp .Lagain\n"
    ".Liret:\n"
    "	decq 32(%r14)\n"
    "	jnz .Lagain\n"
    "	xorl $floor_events, floor_intercepts(%r15)\n"
    ".Lagain:\n"
    "	movq 8(%rsp), %rax\n"
    "	movq 16(%rsp), %r15\n"
    "	movq 24(%rsp), %r14\n"
    "	vmrun\n"
    "	jmp .Lexit\n"
    ".Lguest:\n" ASM_RET ".size floor_enter, . - floor_enter\n");
STACK_FRAME_NON_STANDARD(floor_enter); /* it goes on elsewhere */

static u64 *table(void)
{
	return (u64 *)get_zeroed_page(GFP_KERNEL | __GFP_NOFAIL);
}

/* A table of pages of 1 GiB, from that GiB on, each address its own. */
static u64 *own_gibs(u64 first)
{
	u64 *gibs = table();

	for (u64 i = 0; i < ENTRIES; i++)
		gibs[i] = (first + i) << 30 | TABLE | LARGE;
	return gibs;
}

/*
 * 256 TiB, for firmware puts devices high up; small pages for as much as the bench's guest has.
 */
static u64 nested_tables(void)
{
	u64 *root = table(), *gibs = own_gibs(0), *level2, *level1;

	root[0] = __pa(gibs) | TABLE;
	for (u64 i = 1; i < ENTRIES; i++)
		root[i] = __pa(own_gibs(i * ENTRIES)) | TABLE;
	if (leaf == 1)
		return __pa(root);
	level2 = table();
	gibs[0] = __pa(level2) | TABLE;
	for (u64 i = 0; i < ENTRIES; i++) {
		level2[i] = i << 21 | TABLE | LARGE;
		if (leaf == 2)
			continue;
		level1 = table();
		level2[i] = __pa(level1) | TABLE;
		for (u64 j = 0; j < ENTRIES; j++)
			level1[j] = i << 21 | j << 12 | TABLE;
	}
	return __pa(root);
}

/* The kernel's half of the page tables, which outlives every process. */
static u64 kernel_tables(void)
{
	u64 *root = table(), *now = __va(__read_cr3() & PAGE_MASK);

	for (int i = ENTRIES / 2; i < ENTRIES; i++)
		root[i] = now[i];
	return __pa(root);
}

static void put(u8 *vmcb, unsigned int at, u64 value)
{
	*(u64 *)(vmcb + at) = value;
}

static void put_segment(u8 *vmcb, unsigned int at, u16 selector, u16 attributes)
{
	put(vmcb, at, selector | (u64)attributes << 16 | 0xffffffffull << 32);
}

static void put_table(u8 *vmcb, unsigned int at, const struct desc_ptr *table)
{
	put(vmcb, at, (u64)table->size << 32);
	put(vmcb, at + 8, table->address);
}

/* Interrupts are off. */
static void become_guest(void *unused)
{
	struct floor_cpu *cpu = &cpus[smp_processor_id()];
	u8 *vmcb = cpu->vmcb;
	struct desc_ptr gdt, idt;
	u64 efer, pat;

	native_store_gdt(&gdt);
	store_idt(&idt);
	rdmsrl(MSR_EFER, efer);
	rdmsrl(MSR_IA32_CR_PAT, pat);
	efer |= EFER_SVME;
	wrmsrl(MSR_EFER, efer);
	wrmsrl(MSR_VM_HSAVE_PA, cpu->hsave);
	put_segment(vmcb, CS, __KERNEL_CS, CODE_64);
	put_segment(vmcb, SS, __KERNEL_DS, DATA);
	put_table(vmcb, GDTR, &gdt);
	put_table(vmcb, IDTR, &idt);
	put(vmcb, SAVED_EFER, efer);
	put(vmcb, SAVED_CR4, __read_cr4());
	put(vmcb, SAVED_CR3, __read_cr3());
	put(vmcb, SAVED_CR0, read_cr0());
	put(vmcb, SAVED_DR7, 0x400);
	put(vmcb, SAVED_DR6, 0xffff0ff0);
	put(vmcb, SAVED_CR2, read_cr2());
	put(vmcb, SAVED_PAT, pat);
	floor_enter(cpu);
}

static int __init floor_init(void)
{
	u64 nested = nested_tables();
	unsigned int id;

	if (num_online_cpus() > CPUS)
		return -E2BIG;
	for_each_online_cpu(id)
	{
		struct floor_cpu *cpu = &cpus[id];

		cpu->vmcb = (u8 *)table();
		cpu->vmcb_at = __pa(cpu->vmcb);
		cpu->hsave = __pa(table());
		cpu->stack = (u64)table() + PAGE_SIZE / 2;
		cpu->cr3 = kernel_tables();
		put(cpu->vmcb, INTERCEPTS_1, (exits ? CPUID | INTR : 0) | (u64)VMRUN << 32);
		put(cpu->vmcb, ASID, 1);
		put(cpu->vmcb, NP_ENABLE, 1);
		put(cpu->vmcb, N_CR3, nested);
	}
	on_each_cpu(become_guest, NULL, 1);
	return 0;
}
module_init(floor_init);

MODULE_DESCRIPTION("Goes on as the guest of a hypervisor that does nothing");
MODULE_LICENSE("Dual MIT/GPL");
