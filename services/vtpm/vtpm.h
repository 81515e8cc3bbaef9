/* SPDX-License-Identifier: MIT */
/* The vTPM of one guest: its profile, the keys of the profile, and what was made of templates. */
#ifndef SOCLE_SERVICES_VTPM_VTPM_H
#define SOCLE_SERVICES_VTPM_VTPM_H

#include "core/tpm/profile.h"
#include "services/common/serve.h"
#include "services/vtpm/ahead.h"
#include "services/vtpm/cache.h"
#include "services/vtpm/tpm_command.h"

/* Payloads: a command; the permanent state with NV memory full (147 663 bytes), a template. */
#define VTPM_REQUEST_MAX (8u << 10)
#define VTPM_REPLY_MAX (160u << 10)
#define VTPM_EVIDENCE_AUTH_SIZE 32u
#define VTPM_MANIFEST_MAX 4096u /* what Linux takes */

/* Who keeps a vTPM's state (state.h); store is false when it could not. */
struct state_keeper {
	bool (*store)(void *context, const uint8_t *state, size_t size);
	void *context;
};

struct vtpm {
	const struct profile *profile;
	bool attested; /* reports and the host's CA can be had */
	/* Templates of profile->keys, random fields filled in. */
	struct vtpm_template {
		uint8_t data[PROFILE_TEMPLATE_MAX];
		size_t size;
	} templates[PROFILE_KEYS_MAX];
	bool awaited[PROFILE_KEYS_MAX]; /* which keys are made only when they are wanted */
	uint64_t awaited_generation;	/* while the cache's seed generation is this one */
	struct cache cache;
	struct ahead ahead;
	/* By which the twin that was given the seeds last certifies keys. */
	uint8_t proof_key[TWIN_PROOF_SIZE];
	bool has_proof_key;
	const struct state_keeper *keeper; /* NULL: nobody */
	/* The authorization of the NV index of evidence that a guest has made anew. */
	uint8_t evidence_auth[VTPM_EVIDENCE_AUTH_SIZE];
	bool seed_changes; /* within TPM2_ChangeEPS: the cached keys are none of what is stored */
};

/*
 * What the profile wants after each TPM2_Startup(CLEAR), which empties the platform's
 * authorization. Returns a TPM response code.
 */
uint32_t vtpm_started(const struct vtpm *vtpm);

/*
 * Executes one command at a locality, with what the profile wants besides. response has room for
 * TPM_BUFFER_MAX bytes. False when there is no response at all.
 */
bool vtpm_execute(struct vtpm *vtpm, uint8_t locality, const uint8_t *command, size_t size,
		  uint8_t *response, size_t *response_size);

/* One request (abi/service.h, vtpm_op): a serve_handler, its context a struct vtpm. */
enum service_status vtpm_handle(void *context, uint32_t op, const uint8_t *payload, size_t size,
				struct serve_output *out);

/*
 * Sets the TPM back. One that cannot be has lost the guest's TPM: then the process ends, so that
 * the guest gets errors and never another TPM's answers.
 */
void vtpm_roll_back(struct tpm_checkpoint *checkpoint);

/* The public area of a key of the profile, or NULL when the seed has changed since it was made. */
const struct cache_entry *vtpm_profile_key(struct vtpm *vtpm, size_t index);

/*
 * Keeps the public area of a key of the profile that the TPM has just made. False, with a line in
 * the log, when it is not what the template says.
 */
bool vtpm_keep_key(struct vtpm *vtpm, size_t index, const struct tpm_primary *primary);

/* Learns what is to be found ahead, and leaves no trace in the TPM. */
void vtpm_learn_ahead(struct vtpm *vtpm);

/* True for a template of the profile. */
bool vtpm_is_profile_template(const struct vtpm *vtpm, const uint8_t *template, size_t size);

#endif
