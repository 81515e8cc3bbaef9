/* SPDX-License-Identifier: MIT */
/*
 * What one vCPU has for itself. Only that vCPU touches it, but for the fields that say otherwise.
 */
#ifndef SOCLE_MONITOR_VCPU_CPU_H
#define SOCLE_MONITOR_VCPU_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/ghcb.h"
#include "monitor/base/cpu_layout.h"
#include "monitor/base/limits.h"
#include "monitor/mem/map.h"
#include "monitor/trap/user.h"
#include "monitor/vcpu/this_cpu.h"

enum cpu_ist { /* which stack a vector runs on */
	       IST_NONE,
	       IST_HV,
	       IST_NMI,
	       IST_VC,
	       IST_FATAL, /* double fault and machine check */
	       IST_DEBUG,
	       IST_COUNT,
};

/* How this vCPU's TSC becomes the monitor's time (arch/hw/timer.c). */
struct cpu_clock {
	uint64_t tsc_last; /* the last value; 0: none yet */
	uint64_t tsc_base; /* counted from here */
	uint64_t ahead_ns; /* added, so that no vCPU is behind another one */
};

struct cpu_tss {
	uint32_t reserved_00;
	uint64_t rsp[3];
	uint64_t reserved_1c;
	uint64_t ist[7]; /* ist[n - 1] is IST n */
	uint64_t reserved_5c;
	uint16_t reserved_64;
	uint16_t io_map; /* past the limit: no port for ring 3 */
} __attribute__((packed));
ABI_SIZE(struct cpu_tss, 104);

#define CPU_GDT_ENTRIES 7u

struct cpu {
	uint64_t kernel_rsp;   /* where SYSCALL and faults of ring 3 start: user_enter()'s frame */
	uint64_t user_rsp;     /* only between SYSCALL and the switch of stacks */
	uint8_t event_pending; /* #HV came: ask the doorbell before ring 3 runs on */
	bool tick;	       /* an event of the timer was seen since the last look at it */
	bool doorbell_set;     /* the host knows the doorbell page */
	unsigned int index;    /* also its APIC id */

	struct cpu_tss tss __attribute__((aligned(8)));
	uint64_t gdt[CPU_GDT_ENTRIES];

	gpa_t ghcb_page; /* 0 until the page is shared and registered */
	struct ghcb *ghcb;
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

	/* Read by other vCPUs, atomically. */
	bool online; /* runs the run loop */
};
_Static_assert(sizeof(struct cpu) <= ABI_PAGE_SIZE, "struct cpu is the first page of its block");
ABI_OFFSET(struct cpu, kernel_rsp, CPU_KERNEL_RSP);
ABI_OFFSET(struct cpu, user_rsp, CPU_USER_RSP);
ABI_OFFSET(struct cpu, event_pending, CPU_EVENT_PENDING);
ABI_OFFSET(struct cpu, tss.rsp[0], CPU_TSS_RSP0);
_Static_assert(IST_COUNT == 6 && CPU_IST_TOP(IST_DEBUG) == CPU_BLOCK_SIZE,
	       "the last IST stack ends the block");
_Static_assert(MONITOR_CPUS_MAX *(unsigned long)CPU_BLOCK_SIZE <= (4ul << 20),
	       "the blocks fit below their window's end");

/* True when address lies on the IST stack of the vCPU. */
static inline bool cpu_on_ist(const struct cpu *cpu, enum cpu_ist ist, uint64_t address)
{
	uint64_t top = (uint64_t)(uintptr_t)cpu + CPU_IST_TOP(ist);

	return address <= top && address >= top - ABI_PAGE_SIZE;
}

/* Maps and fills the block of a vCPU, on another one or on the boot stack. False: no memory. */
bool cpu_create(unsigned int index, struct page_owner *owner);

/*
 * Makes this CPU what its block says: GDT, TSS, IDT, control registers, SYSCALL. It runs on the
 * block's stack.
 */
void cpu_load(struct cpu *cpu);

#endif
