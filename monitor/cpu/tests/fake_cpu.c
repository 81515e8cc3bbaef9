/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "monitor/cpu/cpu.h"

struct fake_cpu fake_cpu;

struct cpu *fake_cpu_block(void)
{
	struct cpu *cpu = aligned_alloc(CPU_BLOCK_SIZE, CPU_BLOCK_SIZE);

	if (!cpu)
		abort();
	memset(cpu, 0, CPU_BLOCK_SIZE);
	return cpu;
}

void fake_cpu_reset(struct cpu *cpu)
{
	fake_cpu = (struct fake_cpu){ .cpu = cpu };
}

struct cpu *cpu_at(unsigned int index)
{
	return index < sizeof(fake_cpu.others) / sizeof(fake_cpu.others[0]) ? fake_cpu.others[index]
									    : NULL;
}

struct cpu *cpu_this(void)
{
	return fake_cpu.cpu;
}

bool cpu_on_block(void)
{
	return !fake_cpu.off_block;
}

static uint64_t *find_msr(uint32_t msr)
{
	unsigned int i = 0;

	while (i < fake_cpu.msr_count && fake_cpu.msrs[i].msr != msr)
		i++;
	if (i == FAKE_MSRS_MAX)
		abort();
	if (i == fake_cpu.msr_count) {
		fake_cpu.msrs[i].msr = msr;
		fake_cpu.msrs[i].value = 0;
		fake_cpu.msr_count++;
	}
	return &fake_cpu.msrs[i].value;
}

uint64_t cpu_read_msr(uint32_t msr)
{
	return *find_msr(msr);
}

void cpu_write_msr(uint32_t msr, uint64_t value)
{
	*find_msr(msr) = value;
}

uint64_t cpu_read_cr2(void)
{
	return fake_cpu.cr2;
}

uint64_t cpu_read_cr4(void)
{
	return fake_cpu.cr4;
}

void cpu_write_cr0(uint64_t value)
{
	fake_cpu.cr0 = value;
}

void cpu_write_cr3(uint64_t value)
{
	fake_cpu.cr3 = value;
	fake_cpu.cr3_writes++;
}

void cpu_write_cr4(uint64_t value)
{
	fake_cpu.cr4 = value;
}

void cpu_load_gdt(const struct cpu_table *gdt)
{
	fake_cpu.gdt = *gdt;
}

void cpu_load_idt(const struct cpu_table *idt)
{
	fake_cpu.idt = *idt;
}

uint64_t cpu_read_tsc(void)
{
	return fake_cpu.tsc += fake_cpu.tsc_step;
}

void cpu_clear_selectors(void)
{
	fake_cpu.selectors_cleared++;
}

void cpu_halt(void)
{
	fake_cpu.halts++;
	if (fake_cpu.halt)
		fake_cpu.halt();
}

void cpu_vmgexit(void)
{
	if (fake_cpu.vmgexit)
		fake_cpu.vmgexit();
}
