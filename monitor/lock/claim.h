/* SPDX-License-Identifier: MIT */
/*
 * What one vCPU has to itself for as long as a call to a service takes, in which it may sleep: no
 * lock is held across that. Others sleep until it is their turn, in the order in which they came.
 *
 * Where claims stand among locks: lock/lock.h. Among themselves they are taken in the order of the
 * calls: of a protocol, of the evidence, of a service, of the service that it calls. No service
 * calls one that calls it (core/image/services_conf.h), so none waits for itself.
 */
#ifndef SOCLE_MONITOR_LOCK_CLAIM_H
#define SOCLE_MONITOR_LOCK_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

/* Nobody's when it is zeros. */
struct claim {
	uint32_t next;	  /* ticket that the next taker draws */
	uint32_t serving; /* ticket whose turn it is */
	uint32_t holder; /* index of the CPU that has it, and 1; 0: nobody. Only that one sets it */
};

/*
 * Waits for the turn: asleep (arch_sleep()) after a short look, unless the caller holds a lock,
 * which is of LOCK_RANK_CALL then: such a caller spins for as long as the holder has it. A lock of
 * another rank, or a claim that this CPU has already, is our own bug: die().
 */
void claim_take(struct claim *claim);

/* Takes it if nobody has it, and nobody waits for it; else false. Locks and bugs as above. */
bool claim_try(struct claim *claim);

/* Ends it, in any lock state. On the CPU that has it: else die(). */
void claim_release(struct claim *claim);

#endif
