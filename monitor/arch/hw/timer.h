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

/* Finds out how fast TSC and APIC timer are. On the first vCPU, once. False: there is no timer. */
bool clock_init(void);

/* Turns this vCPU's local APIC on, with the timer silent. False when the host has none for us. */
bool timer_init_cpu(void);

/*
 * #HV with TIMER_VECTOR every period_ns from now on, so that one which the host loses is followed by
 * others. Notes in *cpu what it was armed for, unless the host refused: then timer_deadline is 0,
 * which asks for another attempt.
 */
void timer_arm(struct cpu *cpu, uint64_t deadline_ns, uint64_t period_ns);

/* No more of them, if the timer was armed. When the host refuses, the next call tries again. */
void timer_stop(struct cpu *cpu);

/*
 * The time of a vCPU whose TSC is tsc, when some vCPU was at seen_ns: never less than that, and
 * more than at its own last look if the TSC has moved on since, whatever the host did to it
 * meanwhile. arch_now_ns() is this over all vCPUs.
 */
uint64_t clock_advance(struct cpu_clock *own, uint64_t tsc, uint64_t seen_ns);

/* Says that an event of the doorbell was dealt with. */
void timer_end_of_interrupt(void);

#endif
