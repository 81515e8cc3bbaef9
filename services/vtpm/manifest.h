/* SPDX-License-Identifier: MIT */
/* Manifests of the vTPM (docs/spec/create-and-attest.md, section on manifests). */
#ifndef SOCLE_SERVICES_VTPM_MANIFEST_H
#define SOCLE_SERVICES_VTPM_MANIFEST_H

#include "services/vtpm/vtpm.h"

/*
 * Version 0: the public area of the key ek-rsa2048. Version 1: those of all keys of the profile.
 * SERVICE_ERR_UNSUPPORTED for another version, SERVICE_ERR_FAILED when a key has not been made
 * since the seed changed. Keys that were left for later are made (awaited.h), all that are missing:
 * who has no time for that has them made one by one before.
 */
enum service_status manifest_of_profile(struct vtpm *vtpm, uint32_t version,
					struct serve_output *out);

/* How long version 1 with all keys of the profile is; they need not be made. */
size_t manifest_size(const struct vtpm *vtpm);

/* Version 1 of those keys that are not left for later. */
enum service_status manifest_of_first_keys(struct vtpm *vtpm, struct serve_output *out);

/* The manifest of one key. */
enum service_status manifest_of_key(uint32_t version, const struct cache_entry *key,
				    struct serve_output *out);

#endif
