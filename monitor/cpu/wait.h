/* SPDX-License-Identifier: MIT */
/*
 * Giving the CPU away without losing an event: one that comes between the last look at the doorbell
 * and the instruction would else wait until something wakes us. wait.S
 */
#ifndef SOCLE_MONITOR_CPU_WAIT_H
#define SOCLE_MONITOR_CPU_WAIT_H

#include <stdbool.h>

#include "monitor/base/die.h"
#include "monitor/cpu/cpu.h"
#include "monitor/lock/lock.h"

/* The instructions alone: for the functions below. */
bool wait_vmgexit(struct cpu *cpu);
void wait_halt(struct cpu *cpu);

static inline void wait_check(void)
{
	assert_own(!lock_any_held(), "the CPU is given away with a lock held");
}

/*
 * VMGEXIT with a GHCB that is filled in, to run another VMPL. False: not executed, for an event is
 * pending. No lock is held.
 */
static inline bool wait_other_vmpl(struct cpu *cpu)
{
	wait_check();
	return wait_vmgexit(cpu);
}

/* HLT, until something wakes this vCPU; not while an event is pending. No lock is held. */
static inline void wait_event(struct cpu *cpu)
{
	wait_check();
	wait_halt(cpu);
}

#endif
