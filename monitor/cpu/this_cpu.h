/* SPDX-License-Identifier: MIT */
/*
 * Where the vCPUs' blocks are, and whose stack this runs on (cpu_layout.h). Apart from cpu.h, so
 * that tests on a host, which has no such addresses, put another header in the place of this one.
 */
#ifndef SOCLE_MONITOR_CPU_THIS_CPU_H
#define SOCLE_MONITOR_CPU_THIS_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/base/cpu_layout.h"
#include "monitor/base/limits.h"

struct cpu;

/* The block of a vCPU that cpu_create() has made. */
static inline struct cpu *cpu_at(unsigned int index)
{
	return (struct cpu *)(CPU_VA_BASE + (uint64_t)index * CPU_BLOCK_SIZE);
}

/* The vCPU that runs this. Not before it is on a stack of its block. */
static inline struct cpu *cpu_this(void)
{
	return (struct cpu *)((uintptr_t)__builtin_frame_address(0) &
			      ~(uintptr_t)(CPU_BLOCK_SIZE - 1));
}

/*
 * True when this runs on a stack of some block, which the first steps after the entry stub do not.
 */
static inline bool cpu_on_block(void)
{
	uint64_t frame = (uint64_t)(uintptr_t)__builtin_frame_address(0);

	return frame >= CPU_VA_BASE &&
	       frame - CPU_VA_BASE < MONITOR_CPUS_MAX * (uint64_t)CPU_BLOCK_SIZE;
}

#endif
