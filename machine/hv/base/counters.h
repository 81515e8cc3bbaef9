/* SPDX-License-Identifier: MIT */
/*
 * Counters of exits by kind and VMPL, and of VMPL switches. Each CPU counts for itself, without a
 * lock; the sum goes to the mailbox.
 */
#ifndef SOCLE_MACHINE_HV_BASE_COUNTERS_H
#define SOCLE_MACHINE_HV_BASE_COUNTERS_H

#include "machine/hv/plane/vcpu.h"

/*
 * Counts an exit of the current plane, before the plane is switched. code is an SVM exit code;
 * ghcb.c counts exits of the GHCB with MAILBOX_EXIT_NAE and those of the MSR protocol with
 * MAILBOX_EXIT_MSR_PROTOCOL. Publishes now and then. Any lock state.
 */
void counters_exit(struct vcpu *v, uint64_t code);

/* Counts a switch into vmpl. Any lock state. */
void counters_switch(struct vcpu *v, unsigned int vmpl);

/* Writes the sums to the mailbox. Also for the end of the machine. Any lock state. */
void counters_publish(void);

#endif
