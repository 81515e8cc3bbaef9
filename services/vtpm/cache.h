/* SPDX-License-Identifier: MIT */
/*
 * Public areas of primary keys, so that no prime is searched for twice. A key is determined by the
 * seed, the hierarchy and the template; a change of the seed drops them all.
 */
#ifndef SOCLE_SERVICES_VTPM_CACHE_H
#define SOCLE_SERVICES_VTPM_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tpm/profile.h"
#include "services/vtpm/tpm.h"

#define CACHE_GUEST_ENTRIES 16u /* of templates that are not the profile's */
#define CACHE_DIGEST_SIZE 32u

struct cache_entry {
	uint64_t used;			   /* 0: empty; else when it was last asked for */
	bool pinned;			   /* of the profile: never dropped for another */
	uint8_t digest[CACHE_DIGEST_SIZE]; /* of seed generation, hierarchy, template */
	uint8_t public_area[TPM_PUBLIC_MAX];
	size_t public_size;
};

struct cache {
	uint64_t generation; /* of the endorsement seed */
	uint64_t clock;
	struct cache_entry entries[PROFILE_KEYS_MAX + CACHE_GUEST_ENTRIES];
};

/* Forgets everything, for the seed has changed. Also initializes a cache of zeros. */
void cache_new_seed(struct cache *cache);

/* The key that template makes in hierarchy, or NULL. */
const struct cache_entry *cache_find(struct cache *cache, uint32_t hierarchy,
				     const uint8_t *template, size_t template_size);

/*
 * Adds a key, in place of the least recently used one that is not pinned. At most PROFILE_KEYS_MAX
 * are pinned. Returns the entry; NULL when it does not fit or OpenSSL fails.
 */
const struct cache_entry *cache_put(struct cache *cache, uint32_t hierarchy,
				    const uint8_t *template, size_t template_size,
				    const uint8_t *public_area, size_t public_size, bool pinned);

#endif
