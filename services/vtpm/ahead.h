/* SPDX-License-Identifier: MIT */
/*
 * Primes found ahead of the guest's TPM2_CreatePrimary. What is kept is only what the search for a
 * prime comes to, the prime and the generator's state after it: libtpms runs every command in full,
 * with its authorizations, errors, creation data and tickets, and takes the prime from here instead
 * of searching when it asks with the very state that the prime was found for. That state libtpms
 * has made of the hierarchy's seed, the whole template and the sensitive data, so nothing that
 * makes another key can be forgotten in a comparison of ours.
 *
 * An order is had by a TPM2_CreatePrimary that libtpms cancels when it would search. Orders and
 * primes are secret as the keys are, and wiped with the seed that they come from. The room is that
 * of the profile's list: a guest adds nothing to it.
 */
#ifndef SOCLE_SERVICES_VTPM_AHEAD_H
#define SOCLE_SERVICES_VTPM_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tpm/profile.h"
#include "services/vtpm/prime.h"

#define AHEAD_PRIMES 2u /* of one key */
/* Keys of the profile that are made later (awaited.h), then those of its list. */
#define AHEAD_KEYS_MAX (PROFILE_KEYS_MAX + PROFILE_AHEAD_MAX)

/* A primary key whose primes are wanted; zeros: none. The template is the caller's. */
struct ahead_wish {
	uint32_t hierarchy;
	const uint8_t *template;
	size_t size;
};

struct ahead_prime {
	bool wanted, known;
	struct prime_found found; /* wanted: its order; known: all of it */
};

struct ahead_key {
	uint32_t hierarchy;
	struct ahead_prime primes[AHEAD_PRIMES]; /* the second follows from the first */
};

struct ahead {
	struct ahead_key keys[AHEAD_KEYS_MAX];
	struct ahead_key *learning; /* whose order the next search tells */
	bool under_way;		    /* somebody finds primes for it */
	bool trusted;		    /* what finds them has tried that libtpms takes them */
	unsigned int taken;	    /* how many searches were spared */
	struct prime_source source;
};

/* The hierarchies, for ahead_forget(). */
#define AHEAD_OWNER 1u
#define AHEAD_ENDORSEMENT 2u
#define AHEAD_ALL (AHEAD_OWNER | AHEAD_ENDORSEMENT)

/*
 * Has libtpms take primes from here; ahead, which is zeros, stays where it is while the TPM is on.
 */
void ahead_init(struct ahead *ahead);

/* The keys of the profile's list, as wishes. Returns their number, PROFILE_AHEAD_MAX at most. */
size_t ahead_listed(const struct profile *profile, struct ahead_wish *wishes);

/*
 * Learns the orders of those wishes that have none; each has the same place every time. A hierarchy
 * that the guest has taken or disabled has no order. A TPM of one's own may keep the traces; a
 * guest's is left as it was found (vtpm_roll_back()).
 */
void ahead_learn(struct ahead *ahead, const struct ahead_wish *wishes, size_t count);
void ahead_learn_unseen(struct ahead *ahead, const struct ahead_wish *wishes, size_t count);

/* Wipes what belongs to these hierarchies. */
void ahead_forget(struct ahead *ahead, unsigned int hierarchies);

/* What a command that has succeeded changed of the seeds: hierarchies, for ahead_forget(). */
unsigned int ahead_changed_by(uint32_t command_code);

/* Whether somebody finds primes, and has some to find. */
bool ahead_waits(const struct ahead *ahead);

/* Whether all primes of the wish at this place are known. */
bool ahead_has(const struct ahead *ahead, size_t place);

/* The first order that is not done, in the wishes' order; NULL: there is none. */
const struct prime_order *ahead_next(const struct ahead *ahead);

/*
 * Keeps a prime, if its order is one of ours still. The first one says that primes from here do
 * what a search does (finder.h): before it none is taken, nor kept of the guest's own searches.
 */
void ahead_take(struct ahead *ahead, const struct prime_found *found);

#endif
