/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of VMPL0, by x2APIC MSRs, and the clock. Both are the host's: what hangs on them
 * is how long a service may run, never a secret.
 */
#ifndef SOCLE_MONITOR_ARCH_HW_TIMER_H
#define SOCLE_MONITOR_ARCH_HW_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/cpu/cpu.h"

#define TIMER_VECTOR 0x40u

/*
 * The time of a vCPU whose TSC is tsc, when some vCPU was at seen_ns: never less than that, and
 * more than at its own last look if the TSC has moved on since, whatever the host did to it
 * meanwhile. arch_now_ns() is this over all vCPUs.
 */
uint64_t clock_advance(struct cpu_clock *own, uint64_t tsc, uint64_t seen_ns);

/* Says that an event of the doorbell was dealt with. Not from an exception handler. */
void timer_end_of_interrupt(void);

#endif
