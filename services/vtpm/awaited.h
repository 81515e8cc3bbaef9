/* SPDX-License-Identifier: MIT */
/*
 * RSA keys of the profile that nobody needs before the guest runs: they have neither a persistent
 * handle nor a certificate nor evidence. Their primes are what a start waits for longest, so they
 * are found ahead while the guest runs, before those of the profile's list (ahead.h), and the key
 * is made when a manifest wants it: by libtpms, with the primes that are there and a search for the
 * others. It is made in the TPM as a reset leaves it, whatever the guest has done to its
 * hierarchies and slots, between a checkpoint and a rollback.
 */
#ifndef SOCLE_SERVICES_VTPM_AWAITED_H
#define SOCLE_SERVICES_VTPM_AWAITED_H

#include "services/vtpm/vtpm.h"

/*
 * Says which keys of vtpm->profile are left for later, in vtpm->awaited. None is where nothing
 * attests the TPM, for then there is no manifest, nor where no prime can be found ahead.
 */
void awaited_choose(struct vtpm *vtpm);

/*
 * Tries out whether the TPM, which is the service's own still, makes such a key: libtpms does all
 * that it does before it searches for primes. TPM_RC_CANCELED: it does. Anything else is as of
 * tpm_create_primary().
 */
uint32_t awaited_try(const struct vtpm_template *template, struct tpm_primary *primary);

/*
 * The public area of a key of the profile, made now if it has been left for later: that takes as
 * long as the search for two primes at worst. NULL when it cannot be made, or has not been made
 * since the seed changed: from then on no key is left for later.
 */
const struct cache_entry *awaited_key(struct vtpm *vtpm, size_t index);

/* The same for a template that is one of such a key, where both of its primes are known. */
const struct cache_entry *awaited_ready(struct vtpm *vtpm, const uint8_t *template, size_t size);

/*
 * Makes one of them, if one is to be made; *left is how many are then. False, with a line in the
 * log, when it cannot be made.
 */
bool awaited_make_one(struct vtpm *vtpm, uint32_t *left);

/* Whether a key of the profile is none of them and has not been made since the seed changed. */
bool awaited_lacks_others(struct vtpm *vtpm);

/* What is to be found ahead: AHEAD_KEYS_MAX wishes at most. Returns their number. */
size_t awaited_wishes(struct vtpm *vtpm, struct ahead_wish *wishes);

#endif
