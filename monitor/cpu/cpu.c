/* SPDX-License-Identifier: MIT */
#include "monitor/cpu/cpu.h"

#include "monitor/base/cpu_ops.h"
#include "monitor/cpu/cpuid.h"

#define DESCRIPTOR_CODE64 0x00af9b000000ffffull
#define DESCRIPTOR_DATA 0x00cf93000000ffffull
#define DESCRIPTOR_USER_DATA 0x00cff3000000ffffull
#define DESCRIPTOR_USER_CODE64 0x00affb000000ffffull
#define DESCRIPTOR_TSS 0x0000890000000000ull
#define CPUID_7_EBX_SMEP (1u << 7)
#define CPUID_7_EBX_SMAP (1u << 20)
#define CPUID_7_ECX_UMIP (1u << 2)

static bool map_block_page(unsigned int index, unsigned int page, struct page_owner *owner)
{
	va_t va = { CPU_VA_BASE + (uint64_t)index * CPU_BLOCK_SIZE +
		    (uint64_t)page * ABI_PAGE_SIZE };
	gpa_t memory;

	return page_alloc(owner, &memory) && map_kernel_page(va, memory, MAP_READ | MAP_WRITE);
}

static bool map_block(unsigned int index, struct page_owner *owner)
{
	bool done = map_block_page(index, 0, owner);

	for (unsigned int at = CPU_STACK_BOTTOM; at < CPU_STACK_TOP; at += ABI_PAGE_SIZE)
		done = done && map_block_page(index, at / ABI_PAGE_SIZE, owner);
	return done && map_block_page(index, CPU_FATAL_TOP / ABI_PAGE_SIZE - 1, owner);
}

static void fill_gdt(struct cpu *cpu)
{
	uint64_t base = (uint64_t)(uintptr_t)&cpu->tss;

	cpu->gdt[1] = DESCRIPTOR_CODE64;
	cpu->gdt[2] = DESCRIPTOR_DATA;
	cpu->gdt[3] = DESCRIPTOR_USER_DATA;
	cpu->gdt[4] = DESCRIPTOR_USER_CODE64;
	cpu->gdt[5] = DESCRIPTOR_TSS | (sizeof(cpu->tss) - 1) | (base & 0xffffff) << 16 |
		      (base >> 24 & 0xff) << 56;
	cpu->gdt[6] = base >> 32;
}

bool cpu_create(unsigned int index, struct page_owner *owner)
{
	struct cpu *cpu = cpu_at(index);

	if (index >= MONITOR_CPUS_MAX || !map_block(index, owner))
		return false;

	cpu->index = index;
	/* user_resume() never moves it above this, so ring 3 always comes in at one place. */
	cpu->tss.rsp[0] = (uint64_t)(uintptr_t)cpu + CPU_STACK_TOP;
	cpu->tss.ist[CPU_IST_FATAL - 1] = (uint64_t)(uintptr_t)cpu + CPU_FATAL_TOP;
	cpu->tss.io_map = sizeof(cpu->tss);
	cpu->cr3 = map_kernel_cr3();
	fill_gdt(cpu);
	return true;
}

static void load_descriptors(struct cpu *cpu)
{
	const struct cpu_table gdt = { .limit = sizeof(cpu->gdt) - 1,
				       .base = (uint64_t)(uintptr_t)cpu->gdt };

	cpu_load_gdt(&gdt);
}

static void load_control_registers(void)
{
	struct cpuid_result features = cpuid_query(7, 0);
	uint64_t cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (features.ebx & CPUID_7_EBX_SMEP)
		cr4 |= CR4_SMEP;
	if (features.ebx & CPUID_7_EBX_SMAP)
		cr4 |= CR4_SMAP;
	if (features.ecx & CPUID_7_ECX_UMIP)
		cr4 |= CR4_UMIP;
	cpu_write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
	cpu_write_cr4(cr4);
}

/* SYSCALL is undefined, which trap/syscall.c needs, and GS is ring 3's. */
static void load_msrs(void)
{
	cpu_write_msr(MSR_EFER, (cpu_read_msr(MSR_EFER) & ~EFER_SCE) | EFER_NXE);
	cpu_write_msr(MSR_GS_BASE, 0);
}

void cpu_load(struct cpu *cpu)
{
	load_descriptors(cpu);
	load_control_registers();
	load_msrs();
}
