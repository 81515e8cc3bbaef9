/* SPDX-License-Identifier: MIT */
#include "services/vtpm/cache.h"

#include <openssl/evp.h>
#include <string.h>

#define ENTRIES (sizeof(((struct cache *)0)->entries) / sizeof(struct cache_entry))

static bool make_digest(const struct cache *cache, uint32_t hierarchy, const uint8_t *template,
			size_t size, uint8_t digest[CACHE_DIGEST_SIZE])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(md, &cache->generation, sizeof(cache->generation)) == 1 &&
		  EVP_DigestUpdate(md, &hierarchy, sizeof(hierarchy)) == 1 &&
		  EVP_DigestUpdate(md, template, size) == 1 &&
		  EVP_DigestFinal_ex(md, digest, NULL) == 1;

	EVP_MD_CTX_free(md);
	return ok;
}

void cache_new_seed(struct cache *cache)
{
	memset(cache->entries, 0, sizeof(cache->entries));
	cache->generation++;
}

static struct cache_entry *find(struct cache *cache, const uint8_t digest[CACHE_DIGEST_SIZE])
{
	for (size_t i = 0; i < ENTRIES; i++) {
		struct cache_entry *entry = &cache->entries[i];

		if (entry->used && memcmp(entry->digest, digest, CACHE_DIGEST_SIZE) == 0)
			return entry;
	}
	return NULL;
}

const struct cache_entry *cache_find(struct cache *cache, uint32_t hierarchy,
				     const uint8_t *template, size_t template_size)
{
	uint8_t digest[CACHE_DIGEST_SIZE];
	struct cache_entry *entry;

	if (!make_digest(cache, hierarchy, template, template_size, digest))
		return NULL;
	entry = find(cache, digest);
	if (entry)
		entry->used = ++cache->clock;
	return entry;
}

/* Pinned keys have entries of their own, so that neither kind takes the other's room. */
static struct cache_entry *make_room(struct cache *cache, bool pinned)
{
	size_t first = pinned ? 0 : PROFILE_KEYS_MAX;
	size_t end = pinned ? PROFILE_KEYS_MAX : ENTRIES;
	struct cache_entry *oldest = &cache->entries[first];

	for (size_t i = first; i < end; i++) {
		if (cache->entries[i].used < oldest->used)
			oldest = &cache->entries[i];
	}
	return pinned && oldest->used ? NULL : oldest;
}

const struct cache_entry *cache_put(struct cache *cache, uint32_t hierarchy,
				    const uint8_t *template, size_t template_size,
				    const uint8_t *public_area, size_t public_size, bool pinned)
{
	uint8_t digest[CACHE_DIGEST_SIZE];
	struct cache_entry *entry;

	if (public_size > TPM_PUBLIC_MAX ||
	    !make_digest(cache, hierarchy, template, template_size, digest))
		return NULL;
	entry = find(cache, digest);
	if (!entry)
		entry = make_room(cache, pinned);
	if (!entry)
		return NULL;
	*entry = (struct cache_entry){ .used = ++cache->clock, .pinned = pinned };
	memcpy(entry->digest, digest, sizeof(digest));
	memcpy(entry->public_area, public_area, public_size);
	entry->public_size = public_size;
	return entry;
}
