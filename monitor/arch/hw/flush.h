/* SPDX-License-Identifier: MIT */
#ifndef SOCLE_MONITOR_ARCH_HW_FLUSH_H
#define SOCLE_MONITOR_ARCH_HW_FLUSH_H

#include "monitor/vcpu/cpu.h"

/* Brackets the time that this vCPU spends in the guest: flushes first what others asked for. */
void flush_enter_guest(struct cpu *cpu);
void flush_leave_guest(struct cpu *cpu);

#endif
