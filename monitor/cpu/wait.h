/* SPDX-License-Identifier: MIT */
/*
 * Giving the CPU away without losing an event: one that comes between the last look at the doorbell
 * and the instruction would else wait until something wakes us. wait.S
 */
#ifndef SOCLE_MONITOR_CPU_WAIT_H
#define SOCLE_MONITOR_CPU_WAIT_H

#include <stdbool.h>

#include "monitor/cpu/cpu.h"

/* VMGEXIT with a GHCB that is filled in. False: not executed, for an event is pending. */
bool wait_vmgexit(struct cpu *cpu);

/* HLT, until something wakes this vCPU; not while an event is pending. */
void wait_halt(struct cpu *cpu);

#endif
