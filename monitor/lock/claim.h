/* SPDX-License-Identifier: MIT */
/*
 * What one vCPU has to itself for as long as a call to a service takes, in which it may sleep: no
 * lock is held across that. Others sleep until it is their turn, in the order in which they came.
 */
#ifndef SOCLE_MONITOR_LOCK_CLAIM_H
#define SOCLE_MONITOR_LOCK_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

/* Nobody's when it is zeros. */
struct claim {
	uint32_t next;	  /* ticket that the next taker draws */
	uint32_t serving; /* ticket whose turn it is */
};

/* Waits for the turn: asleep (arch_sleep()), unless the caller holds a lock. */
void claim_take(struct claim *claim);

/* Takes it if nobody has it, and nobody waits for it; else false. */
bool claim_try(struct claim *claim);

/* Ends it. */
void claim_release(struct claim *claim);

#endif
