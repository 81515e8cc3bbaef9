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
 * attests the TPM, for then there is no manifest.
 */
void awaited_choose(struct vtpm *vtpm);

/*
 * The public area of a key of the profile, made now if it has been left for later: that takes as
 * long as the search for two primes at worst. NULL when it cannot be made, or the seed has changed
 * since a key that was not left for later was made.
 */
const struct cache_entry *awaited_key(struct vtpm *vtpm, size_t index);

/* The same for a template that is one of such a key, where both of its primes are known. */
const struct cache_entry *awaited_ready(struct vtpm *vtpm, const uint8_t *template, size_t size);

/* Makes all of them. False, with a line in the log, when one cannot be. */
bool awaited_make_all(struct vtpm *vtpm);

/* What is to be found ahead: AHEAD_KEYS_MAX wishes at most. Returns their number. */
size_t awaited_wishes(struct vtpm *vtpm, struct ahead_wish *wishes);

#endif
