/* SPDX-License-Identifier: MIT */
/*
 * A CPU for tests on a host: what this_cpu.h and cpu_ops.h do with a stack pointer and with
 * instructions of ring 0 is done with variables here. The build puts this header in front of every
 * source (-include), so that those two find their guards defined and say nothing.
 */
#ifndef SOCLE_MONITOR_CPU_TESTS_FAKE_CPU_H
#define SOCLE_MONITOR_CPU_TESTS_FAKE_CPU_H

#define SOCLE_MONITOR_CPU_THIS_CPU_H
#define SOCLE_MONITOR_BASE_CPU_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/base/cpu_bits.h"
#include "monitor/base/cpu_layout.h"
#include "monitor/base/limits.h"

struct cpu;

#define FAKE_MSRS_MAX 32u

struct fake_cpu {
	struct cpu *cpu;       /* what cpu_this() says */
	struct cpu *others[4]; /* what cpu_at() says; NULL behind them */
	bool off_block;	       /* still on the boot stack */
	uint64_t cr0, cr2, cr3, cr4, tsc;
	uint64_t tsc_step; /* added by each look at the TSC */
	struct {
		uint32_t msr;
		uint64_t value;
	} msrs[FAKE_MSRS_MAX];
	unsigned int msr_count;
	struct cpu_table gdt, idt;
	unsigned int halts, cr3_writes, selectors_cleared;
	void (*vmgexit)(void); /* the host */
	void (*halt)(void);    /* NULL: nothing happens */
};

extern struct fake_cpu fake_cpu;

/* A block of CPU_BLOCK_SIZE bytes, so aligned, zeroed, for as long as the test runs. */
struct cpu *fake_cpu_block(void);

/* A CPU as after its reset, on that block. */
void fake_cpu_reset(struct cpu *cpu);

struct cpu *cpu_at(unsigned int index);
struct cpu *cpu_this(void);
bool cpu_on_block(void);

uint64_t cpu_read_msr(uint32_t msr);
void cpu_write_msr(uint32_t msr, uint64_t value);
uint64_t cpu_read_cr2(void);
uint64_t cpu_read_cr4(void);
void cpu_write_cr0(uint64_t value);
void cpu_write_cr3(uint64_t value);
void cpu_write_cr4(uint64_t value);
void cpu_load_gdt(const struct cpu_table *gdt);
void cpu_load_idt(const struct cpu_table *idt);
uint64_t cpu_read_tsc(void);
void cpu_clear_selectors(void);
void cpu_halt(void);
void cpu_vmgexit(void);

#endif
