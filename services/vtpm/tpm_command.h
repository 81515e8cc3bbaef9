/* SPDX-License-Identifier: MIT */
/*
 * The TPM commands that the service itself sends, each at locality 0 and with empty authorizations.
 * All return a TPM response code, or TPM_RC_NONE when the TPM gave no valid answer.
 */
#ifndef SOCLE_SERVICES_VTPM_TPM_COMMAND_H
#define SOCLE_SERVICES_VTPM_TPM_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/tpm.h"
#include "services/vtpm/tpm.h"

#define TPM_HMAC_SIZE 32u
#define TPM_CREATION_MAX 160u /* a SHA-512 digest, and a ticket with another */
#define TPM_ATTEST_MAX 512u
#define TPM_CHILD_MAX 512u

uint32_t tpm_startup_clear(void);
uint32_t tpm_shutdown_clear(void);

/* Banks to have all PCRs; the others get none. Takes effect with the next TPM reset. */
uint32_t tpm_pcr_allocate(const uint16_t *banks, size_t count);

/* Gives the platform hierarchy an authorization that nobody keeps. */
uint32_t tpm_randomise_platform_auth(void);

struct tpm_primary {
	uint32_t handle;
	uint8_t public_area[TPM_PUBLIC_MAX]; /* TPMT_PUBLIC */
	size_t public_size;
	/*
	 * What TPM2_CertifyCreation wants: creationHash and creationTicket, as they are marshalled.
	 */
	uint8_t creation[TPM_CREATION_MAX];
	size_t creation_hash_size, creation_size;
};

/* A primary key of the endorsement hierarchy; it stays loaded. */
uint32_t tpm_create_primary(const uint8_t *template, size_t template_size,
			    struct tpm_primary *primary);
/* The same in any hierarchy. */
uint32_t tpm_create_primary_of(uint32_t hierarchy, const uint8_t *template, size_t template_size,
			       struct tpm_primary *primary);
uint32_t tpm_flush(uint32_t handle);

/*
 * A restricted HMAC key (SHA-256) with this value, a primary of the endorsement hierarchy; it stays
 * loaded. Being restricted, it signs what the TPM says of itself and nothing that looks like it.
 */
uint32_t tpm_create_hmac_key(const uint8_t key[TPM_HMAC_SIZE], uint32_t *handle);

/* An object that is wrapped by its parent: TPM2B_PRIVATE and TPM2B_PUBLIC. */
struct tpm_child {
	uint8_t data[TPM_CHILD_MAX];
	size_t size;
};

/*
 * Seals a byte under a storage key without authorization; and loads what is wrapped. It stays
 * loaded.
 */
uint32_t tpm_create_child(uint32_t parent, struct tpm_child *child);
uint32_t tpm_load(uint32_t parent, const struct tpm_child *child, uint32_t *handle);

/* A TPM's word that it has made an object of this Name, signed by an HMAC key. */
struct tpm_certified {
	uint8_t attest[TPM_ATTEST_MAX]; /* TPMS_ATTEST */
	size_t attest_size;
	uint8_t mac[TPM_HMAC_SIZE];
};

/* TPM2_CertifyCreation of a loaded primary key by a loaded HMAC key, with qualifying data. */
uint32_t tpm_certify_creation(uint32_t hmac_key, const struct tpm_primary *primary,
			      const void *data, size_t size, struct tpm_certified *certified);

/* Copies a loaded key to a persistent handle of the owner's. */
uint32_t tpm_make_persistent(uint32_t handle, uint32_t persistent);

/* Lets TPM2_Clear be used again, and clears, both by the platform. */
uint32_t tpm_platform_clear(void);

/*
 * Powers the TPM, which is off, on from a permanent state, and undoes what a guest can have changed
 * for good: an authorization of the endorsement hierarchy, and that TPM2_Clear is disabled. A
 * freshly started TPM has an empty platform authorization and all of its hierarchies enabled; so
 * the platform clears, which leaves the endorsement seed as it is.
 */
uint32_t tpm_start_cleared(const uint8_t *permanent, size_t size);

/* An authorization value that the service gives an NV index. */
struct tpm_auth {
	const uint8_t *data;
	size_t size;
};

/* NV indices by the platform; reading by the index's own, empty authorization. */
struct tpm_nv_public {
	uint32_t index, attributes;
	struct tpm_auth auth;
	const uint8_t *policy;
	size_t policy_size;
	uint16_t size;
};
uint32_t tpm_nv_define(const struct tpm_nv_public *nv);
uint32_t tpm_nv_undefine(uint32_t index);
uint32_t tpm_nv_write(uint32_t index, const uint8_t *data, size_t size);
/* By the authorization of the index itself. */
uint32_t tpm_nv_write_as(uint32_t index, struct tpm_auth auth, const uint8_t *data, size_t size);
uint32_t tpm_nv_write_lock(uint32_t index);
uint32_t tpm_nv_size(uint32_t index, size_t *size);
uint32_t tpm_nv_read(uint32_t index, uint8_t *data, size_t size);
/* By the owner's, if it is empty. */
uint32_t tpm_nv_read_by_owner(uint32_t index, uint8_t *data, size_t size);

/* Whether the endorsement hierarchy is enabled. */
uint32_t tpm_endorsement_enabled(bool *enabled);

/* The command code or response code of a message; 0 or TPM_RC_NONE when there is none. */
uint32_t tpm_command_code(const uint8_t *command, size_t size);
uint32_t tpm_response_code(const uint8_t *response, size_t size);

/* Whether a command is TPM2_Startup(CLEAR). */
bool tpm_is_startup_clear(const uint8_t *command, size_t size);

#endif
