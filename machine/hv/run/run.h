/* SPDX-License-Identifier: MIT */
/* The loop of a CPU that runs a vCPU: choose a plane, enter the guest, handle the exit. */
#ifndef SOCLE_MACHINE_HV_RUN_RUN_H
#define SOCLE_MACHINE_HV_RUN_RUN_H

#include "machine/hv/plane/vcpu.h"

/* Called without the lock, and never left. */
_Noreturn void run_loop(struct vcpu *v);

/* Handles the exit that the current plane's VMCB describes. */
void run_exit(struct vcpu *v);

/*
 * Its nested page fault: MMIO, a page that the host still has to assign, or a broken RMP rule,
 * which stops the machine.
 */
void run_nested_fault(struct vcpu *v);

#endif
