/* SPDX-License-Identifier: MIT */
/* The vTPM of one guest: its profile, the keys of the profile, and what was made of templates. */
#ifndef SOCLE_SERVICES_VTPM_VTPM_H
#define SOCLE_SERVICES_VTPM_VTPM_H

#include "core/tpm/profile.h"
#include "services/common/serve.h"
#include "services/vtpm/cache.h"

/* Payloads: a command; the permanent state with NV memory full (147 663 bytes), a template. */
#define VTPM_REQUEST_MAX (8u << 10)
#define VTPM_REPLY_MAX (160u << 10)
#define VTPM_MANIFEST_MAX 4096u /* what Linux takes */

struct vtpm {
	const struct profile *profile;
	/* Templates of profile->keys, random fields filled in. */
	struct vtpm_template {
		uint8_t data[PROFILE_TEMPLATE_MAX];
		size_t size;
	} templates[PROFILE_KEYS_MAX];
	struct cache cache;
	/* By which the oracle that was given the seeds last certifies keys. */
	uint8_t proof_key[ORACLE_PROOF_SIZE];
	bool has_proof_key;
	bool seed_changes; /* within TPM2_ChangeEPS: the cached keys are none of what is stored */
};

/*
 * What the profile wants after each TPM2_Startup(CLEAR), which empties the platform's
 * authorization. Returns a TPM response code.
 */
uint32_t vtpm_started(const struct vtpm *vtpm);

/* One request (abi/service.h, vtpm_op): a serve_handler, its context a struct vtpm. */
enum service_status vtpm_handle(void *context, uint32_t op, const uint8_t *payload, size_t size,
				struct serve_output *out);

/* The public area of a key of the profile, or NULL when the seed has changed since it was made. */
const struct cache_entry *vtpm_profile_key(struct vtpm *vtpm, size_t index);

/* True for a template of the profile. */
bool vtpm_is_profile_template(const struct vtpm *vtpm, const uint8_t *template, size_t size);

#endif
