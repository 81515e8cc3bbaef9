/* SPDX-License-Identifier: MIT */
#include "tests/machine/guest/vmsa.h"

#include "tests/machine/guest/exits.h"

extern char gdt[];

static uint64_t read_cr0(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	return value;
}

static uint64_t read_cr3(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr3, %0" : "=r"(value));
	return value;
}

static uint64_t read_cr4(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

void vmsa_fill(struct snp_vmsa *vmsa, uint8_t vmpl, void (*entry)(void), const uint8_t *stack_top)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr;
	struct snp_segment data = { 0x10, 0xc93, 0xffffffff, 0 };

	__asm__ volatile("sidt %0" : "=m"(idtr));
	*vmsa = (struct snp_vmsa){
		.es = data,
		.cs = { 0x08, 0xa9b, 0xffffffff, 0 },
		.ss = data,
		.ds = data,
		.fs = data,
		.gs = data,
		.gdtr = { 0, 0, 0x47, (uint64_t)gdt },
		.idtr = { 0, 0, idtr.limit, idtr.base },
		.ldtr = { 0, 0x82, 0xffff, 0 },
		.tr = { 0, 0x8b, 0xffff, 0 },
		.vmpl = vmpl,
		.efer = 0x1500, /* SVME, LMA, LME */
		.cr0 = read_cr0(),
		.cr3 = read_cr3(),
		.cr4 = read_cr4(),
		.dr6 = 0xffff0ff0,
		.dr7 = 0x400,
		.rflags = 2,
		.rip = (uint64_t)entry,
		.rsp = (uint64_t)stack_top - 8,
		.g_pat = 0x0007040600070406,
		.xcr0 = 1,
		.mxcsr = 0x1f80,
		.x87_ftw = 0xffff,
		.x87_fcw = 0x37f,
		.sev_features = 1,
	};
}

uint32_t vmsa_start(uint64_t apic_id, uint64_t vmpl, uint64_t vmsa)
{
	ghcb_own()->rax = 1; /* SEV_FEATURES */
	ghcb_set_valid(0x1f8);
	return ghcb_exit(0x80000013, apic_id << 32 | vmpl << 16 | 1, vmsa).result;
}
