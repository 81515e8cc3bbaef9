/* SPDX-License-Identifier: MIT */
/*
 * The physical timer of each CPU. It runs for the current plane, for more privileged ones, which
 * may preempt it, and for those that have halted. Timers of other planes are looked at when those
 * run.
 */
#ifndef SOCLE_MACHINE_HV_EVENT_TIMER_H
#define SOCLE_MACHINE_HV_EVENT_TIMER_H

#include "machine/hv/plane/vcpu.h"

/* Lets the timer of a plane's APIC run up to now. */
void timer_advance(struct plane *p, uint64_t now);

/* Sets this CPU's timer to the first deadline that there is. */
void timer_rearm(struct vcpu *v);

/*
 * It comes back soon: there is something to inject that cannot be injected right now. After more
 * tries, each in vain, it takes longer, for a slow machine may not get to an instruction of the
 * guest's in time.
 */
void timer_retry_soon(struct vcpu *v, unsigned int tries);

/* LAPIC_VECTOR_TIMER has come. */
void timer_fired(struct vcpu *v);

#endif
