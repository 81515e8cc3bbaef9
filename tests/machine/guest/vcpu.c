/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "tests/machine/guest/guest.h"

#define STACK_SIZE 8192

static uint8_t level2_vmsa_page[4096] __attribute__((aligned(4096)));
static uint8_t level2_stack[STACK_SIZE] __attribute__((aligned(16)));
static uint8_t second_vmsa_page[4096] __attribute__((aligned(4096)));
static uint8_t second_stack[STACK_SIZE] __attribute__((aligned(16)));

extern char gdt[], pml4[];

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

uint64_t level2_vmsa(void)
{
	return (uint64_t)level2_vmsa_page;
}

static void grant_image(void)
{
	uint32_t results = 0;

	for (uint64_t at = (uint64_t)image_start; at < (uint64_t)image_end; at += 4096) {
		if (at != ghcb_gpa() && at != level2_vmsa())
			results |= rmpadjust(at, 0, 0xf02);
	}
	check("RMPADJUST grants the image to VMPL2", results, 0);
}

/* The state of this CPU but for entry, stack and VMPL. */
static void fill_vmsa(struct snp_vmsa *vmsa, uint8_t vmpl, void (*entry)(void), uint8_t *stack)
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
		.gdtr = { 0, 0, 0x37, (uint64_t)gdt },
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
		.rsp = (uint64_t)stack + STACK_SIZE - 8,
		.g_pat = 0x0007040600070406,
		.xcr0 = 1,
		.mxcsr = 0x1f80,
		.x87_ftw = 0xffff,
		.x87_fcw = 0x37f,
		.sev_features = 1,
	};
}

/* GHCB specification, "SNP AP Creation". */
static uint32_t create_ap(uint64_t apic_id, uint64_t vmpl, uint64_t vmsa)
{
	ghcb->rax = 1; /* SEV_FEATURES */
	ghcb_set_valid(0x1f8);
	return ghcb_exit(0x80000013, apic_id << 32 | vmpl << 16 | 1, vmsa).result;
}

struct snp_vmsa *level2_create(void (*entry)(void))
{
	struct snp_vmsa *vmsa = (struct snp_vmsa *)level2_vmsa_page;

	fill_vmsa(vmsa, 2, entry, level2_stack);
	grant_image();
	return vmsa;
}

void level2_start(void)
{
	check("RMPADJUST makes the VMSA page one", rmpadjust(level2_vmsa(), 0, 0x10002), 0);
	check("AP creation of VMPL2 (GHCB, SNP AP creation)", create_ap(0, 2, level2_vmsa()), 0);
}

uint64_t level2_run(void)
{
	return ghcb_msr_call(0x016 | 2ull << 32);
}

void level2_return(void)
{
	(void)ghcb_msr_call(0x016);
}

/* VMPL0 may make a VMSA of VMPL0 as well: RMPADJUST only has to name a lower level. */
void second_cpu_start(void (*entry)(void))
{
	uint64_t vmsa = (uint64_t)second_vmsa_page;

	fill_vmsa((struct snp_vmsa *)vmsa, 0, entry, second_stack);
	check("RMPADJUST makes the second CPU's VMSA page one", rmpadjust(vmsa, 0, 0x10001), 0);
	check("AP creation of the second CPU", create_ap(1, 0, vmsa), 0);
}
