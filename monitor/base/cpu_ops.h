/* SPDX-License-Identifier: MIT */
/* Single instructions. */
#ifndef SOCLE_MONITOR_BASE_CPU_OPS_H
#define SOCLE_MONITOR_BASE_CPU_OPS_H

#include <stdint.h>

#include "monitor/base/cpu_bits.h"
#include "monitor/base/cpu_layout.h"

static inline uint64_t cpu_read_msr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void cpu_write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint64_t cpu_read_cr2(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

static inline uint64_t cpu_read_cr4(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

static inline void cpu_write_cr0(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static inline void cpu_write_cr3(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

static inline void cpu_write_cr4(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

/* DS, ES, FS, GS: ring 0 uses none, and the next service must not find what the last one left. */
static inline void cpu_clear_selectors(void)
{
	__asm__ volatile("mov %0, %%ds\n\t"
			 "mov %0, %%es\n\t"
			 "mov %0, %%fs\n\t"
			 "mov %0, %%gs"
			 :
			 : "r"(0));
}

static inline void cpu_load_idt(const struct cpu_table *idt)
{
	__asm__ volatile("lidt %0" : : "m"(*idt));
}

/* The GDT, the selectors of ring 0 and the task register (cpu_layout.h). */
static inline void cpu_load_gdt(const struct cpu_table *gdt)
{
	__asm__ volatile("lgdt %0\n"
			 "pushq %1\n"
			 "leaq 1f(%%rip), %%rax\n"
			 "pushq %%rax\n"
			 "lretq\n"
			 "1:\n"
			 "movl %2, %%eax\n"
			 "movl %%eax, %%ss\n"
			 "xorl %%eax, %%eax\n"
			 "movl %%eax, %%ds\n"
			 "movl %%eax, %%es\n"
			 "movl %%eax, %%fs\n"
			 "movl %%eax, %%gs\n"
			 "movl %3, %%eax\n"
			 "ltr %%ax\n"
			 :
			 : "m"(*gdt), "i"(SELECTOR_KERNEL_CS), "i"(SELECTOR_KERNEL_DS),
			   "i"(SELECTOR_TSS)
			 : "rax", "memory");
}

static inline uint64_t cpu_read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static inline void cpu_halt(void)
{
	__asm__ volatile("hlt" : : : "memory");
}

/* VMGEXIT is REP VMMCALL: F3 0F 01 D9 (APM volume 3). */
static inline void cpu_vmgexit(void)
{
	__asm__ volatile(".byte 0xf3, 0x0f, 0x01, 0xd9" : : : "memory");
}

#endif
