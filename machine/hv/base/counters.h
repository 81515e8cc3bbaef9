/* SPDX-License-Identifier: MIT */
/*
 * Counters of exits by kind and VMPL, and of VMPL switches. Each CPU counts for itself, without a
 * lock; the sum goes to the mailbox.
 */
#ifndef SOCLE_MACHINE_HV_BASE_COUNTERS_H
#define SOCLE_MACHINE_HV_BASE_COUNTERS_H

#include <stdint.h>

/*
 * Counts an exit of that plane. code is an SVM exit code; with MAILBOX_EXIT_NAE an exit of the GHCB
 * page, with MAILBOX_EXIT_MSR_PROTOCOL a request of the GHCB MSR protocol. Publishes now and then.
 * Any lock state.
 */
void counters_exit(unsigned int vcpu, unsigned int vmpl, uint64_t code);

/* Counts a switch into vmpl. Any lock state. */
void counters_switch(unsigned int vcpu, unsigned int vmpl);

/* Writes the sums to the mailbox. Also for the end of the machine. Any lock state. */
void counters_publish(void);

#endif
