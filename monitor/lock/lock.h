/* SPDX-License-Identifier: MIT */
/*
 * Ticket spinlocks with a rank. A CPU takes locks in ascending rank only; taking one out of order,
 * or twice, is our own bug and die()s at once instead of in the one run that deadlocks.
 * The monitor runs with interrupts off and #HV takes no lock, so a lock guards against other vCPUs.
 */
#ifndef SOCLE_MONITOR_LOCK_LOCK_H
#define SOCLE_MONITOR_LOCK_LOCK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The written order: a CPU that holds one lock may only take locks that stand below it. Claims
 * (lock/claim.h) stand below LOCK_RANK_CALL: a lock of that rank may be held while one is taken,
 * and no other.
 */
enum lock_rank {
	LOCK_RANK_CALL = 1,    /* protocol: the key that is being made */
	LOCK_RANK_REGISTRY,    /* vcpu/registry */
	LOCK_RANK_APIC,	       /* apic/guest: of each vCPU, one at a time */
	LOCK_RANK_GUEST_PAGES, /* mem/guest_pages */
	LOCK_RANK_MAP,	       /* mem/map: the monitor's own page tables */
	LOCK_RANK_PAGES,       /* mem/alloc */
	LOCK_RANK_BOUNCE,      /* ghcb: shared bounce pages of guest requests */
	LOCK_RANK_LOG,	       /* log */
};

/* Free when it is initialized with its rank alone. */
struct lock {
	enum lock_rank rank;
	uint32_t next;	  /* ticket that the next taker draws */
	uint32_t serving; /* ticket that holds the lock */
};

/* Waits for the lock. The caller holds only locks of lower rank. */
void lock_acquire(struct lock *lock);

/*
 * Takes the lock if nobody has it, and nobody waits for it; else false. Of what is held the same is
 * true.
 */
bool lock_try(struct lock *lock);

/*
 * Whether this CPU holds any. Nobody may who gives the CPU away, to an event or to the guest
 * (cpu/wait.h): for how long is the host's to say, and all others would stand still.
 */
bool lock_any_held(void);

/* Whether this CPU holds one that stands below that rank. */
bool lock_held_below(enum lock_rank rank);

/* Releases the lock, which the caller took last of those it holds. */
void lock_release(struct lock *lock);

#endif
