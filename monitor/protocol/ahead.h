/* SPDX-License-Identifier: MIT */
/*
 * Work ahead: the twin (twin.h) is made ready, and primes of RSA keys that the guest will want
 * (services/vtpm/ahead.h) are found, while it runs. One vCPU does it, in slices by its timer, each
 * no longer than SERVICE_SLICE_MS and what begins and ends it; together they take at most one part
 * in AHEAD_SHARE of that vCPU's time, however often it is asked. Only where the image says that
 * VMPL0's timer reaches it while the guest runs.
 *
 * Nobody takes over from a vCPU that has work: where the host does not run it any more, nothing
 * more is found until it does. The guest's commands then search for themselves. An order stays here
 * until its search has ended, and a prime until the vtpm has it.
 *
 * vCPUs are given by their index. No function here waits for a service that others use.
 */
#ifndef SOCLE_MONITOR_PROTOCOL_AHEAD_H
#define SOCLE_MONITOR_PROTOCOL_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#define AHEAD_SHARE 20u /* 5 % */

/* Once, before a service runs: what is wiped when the monitor dies. */
void ahead_init(void);

/*
 * Once, when the services are up, before the guest runs, whose TPM nobody has changed yet: the vtpm
 * says what it wants to have found, and what there is to be done is the first vCPU's work from then
 * on. Where there is nobody to find primes, or preempts says that VMPL0's timer does not reach it
 * while the guest runs, or the vtpm gives no order, it makes the keys now that it has left for
 * later; one that cannot make them is given up as if it had never become ready (service_give_up()).
 * That what finds primes fails is seen only while the guest runs: then the keys stay for later, and
 * the manifest that wants them waits for a search.
 */
void ahead_start(bool preempts);

/*
 * The vtpm has said that something waits: this vCPU's work, unless it is another one's. Locks may
 * be held.
 */
void ahead_wake(unsigned int cpu);

/* A slice of it, if it is this vCPU's and due. True when it was. The caller holds no lock. */
bool ahead_turn(unsigned int cpu);

/* When this vCPU has to come back for it, as arch_now_ns() tells the time; 0: it need not. */
uint64_t ahead_due(unsigned int cpu);

#endif
