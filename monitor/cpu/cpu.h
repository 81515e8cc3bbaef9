/* SPDX-License-Identifier: MIT */
/* What one vCPU has for itself. Once it is started only that vCPU touches it. */
#ifndef SOCLE_MONITOR_CPU_CPU_H
#define SOCLE_MONITOR_CPU_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/base/cpu_layout.h"
#include "monitor/base/limits.h"
#include "monitor/cpu/this_cpu.h"
#include "monitor/mem/map.h"

struct ghcb;
struct ghcb_doorbell;
struct user_context;

/* How this vCPU's TSC becomes the monitor's time (arch/hw/timer.c). */
struct cpu_clock {
	uint64_t tsc_last; /* the last value; 0: none yet */
	uint64_t tsc_base; /* counted from here */
	uint64_t ahead_ns; /* added, so that no vCPU is behind another one */
};

struct cpu_tss {
	uint32_t reserved_00;
	uint64_t rsp[3]; /* [0]: where ring 3 comes in, user_enter()'s frame */
	uint64_t reserved_1c;
	uint64_t ist[7]; /* ist[n - 1] is IST n */
	uint64_t reserved_5c;
	uint16_t reserved_64;
	uint16_t io_map; /* past the limit: no port for ring 3 */
} __attribute__((packed));
ABI_SIZE(struct cpu_tss, 104);

#define CPU_GDT_ENTRIES 7u

struct cpu {
	uint32_t signals;   /* #HV that came since the doorbell was asked; entry.S counts */
	bool tick;	    /* an event of the timer was seen since the last look at it */
	bool doorbell_set;  /* the host knows the doorbell page */
	unsigned int index; /* also its APIC id */

	struct cpu_tss tss __attribute__((aligned(8)));
	uint64_t gdt[CPU_GDT_ENTRIES];

	gpa_t ghcb_page;
	struct ghcb *ghcb; /* NULL until the page is registered */
	gpa_t doorbell_page;
	struct ghcb_doorbell *doorbell;

	struct user_context *user; /* what user_enter() runs */
	uint64_t cr3;		   /* what this CPU has loaded */
	uint32_t space_generation; /* of that space when it was loaded */
	uint64_t timer_deadline;   /* what the timer was armed for; 0: nothing */
	uint64_t timer_period_ns;  /* of the timer, which may run; 0: it was stopped */
	struct cpu_clock clock;
	uint64_t looked_ns;  /* arch_now_ns() when user_now_ns() was last asked */
	uint64_t stopped_ns; /* what user_now_ns() leaves out of it */
};
_Static_assert(sizeof(struct cpu) <= ABI_PAGE_SIZE, "struct cpu is the first page of its block");
ABI_OFFSET(struct cpu, signals, CPU_SIGNALS);
ABI_OFFSET(struct cpu, tss.rsp[0], CPU_TSS_RSP0);
_Static_assert(MONITOR_CPUS_MAX *(unsigned long)CPU_BLOCK_SIZE <= (4ul << 20),
	       "the blocks fit below their window's end");

/* Maps and fills the block of a vCPU, on another one or on the boot stack. False: no memory. */
bool cpu_create(unsigned int index, struct page_owner *owner);

/*
 * Makes this CPU what its block says: GDT, TSS, control registers. It runs on the block's stack,
 * and goes on to trap_load_idt().
 */
void cpu_load(struct cpu *cpu);

#endif
