/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of VMPL0, by x2APIC MSRs, and the clock. Both are the host's: what hangs on them
 * is how long a service may run, never a secret.
 */
#ifndef SOCLE_MONITOR_ARCH_HW_TIMER_H
#define SOCLE_MONITOR_ARCH_HW_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/vcpu/cpu.h"

#define TIMER_VECTOR 0x40u

/* Finds out how fast TSC and APIC timer are. On the first vCPU, once. False: there is no timer. */
bool clock_init(void);

/* Turns this vCPU's local APIC on, with the timer silent. False when the host has none for us. */
bool timer_init_cpu(void);

/* One #HV with TIMER_VECTOR in about that many nanoseconds, at most some seconds. */
void timer_arm(struct cpu *cpu, uint64_t deadline_ns, uint64_t from_now_ns);

/* No more of them, if the timer was armed. */
void timer_stop(struct cpu *cpu);

/* Says that an event of the doorbell was dealt with. */
void timer_end_of_interrupt(struct cpu *cpu);

#endif
