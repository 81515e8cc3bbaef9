/* SPDX-License-Identifier: MIT */
/*
 * A vTPM profile: the measured data file that says how the TPM is provisioned. docs/profiles.md is
 * its specification. The service reads it at its start, and the image builder checks it.
 */
#ifndef SOCLE_CORE_TPM_PROFILE_H
#define SOCLE_CORE_TPM_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/svsm.h"
#include "core/tpm/selector.h"

#define PROFILE_SIZE_MAX (32u << 10)
#define PROFILE_NAME_MAX 32
#define PROFILE_TPM_PROFILE_MAX 2048u
#define PROFILE_KEYS_MAX 10
#define PROFILE_BANKS_MAX 4
#define PROFILE_NV_MAX 24
#define PROFILE_TEMPLATE_MAX 640
#define PROFILE_DIGEST_MAX 64
#define PROFILE_AHEAD_MAX 4
#define PROFILE_BLOBS_MAX 4096u /* bytes of all blobs together */
#define PROFILE_NV_SIZE_MAX 2048u
#define PROFILE_NO_KEY PROFILE_KEYS_MAX

enum profile_role {
	PROFILE_ROLE_EK,
	PROFILE_ROLE_AK,
};

/* What the unique field of a template holds. */
enum profile_unique {
	PROFILE_UNIQUE_GIVEN,  /* as it is written */
	PROFILE_UNIQUE_ZERO,   /* zeros, as long as the key */
	PROFILE_UNIQUE_RANDOM, /* random bytes, as long as the key, new for each TPM */
};

struct profile_key {
	enum svsm_key_id id;
	enum profile_role role;
	enum profile_unique unique;
	uint32_t handle;			/* persistent, 0: none */
	uint8_t template[PROFILE_TEMPLATE_MAX]; /* TPMT_PUBLIC; unique filled in but for RANDOM */
	size_t template_size;
};

enum profile_content {
	PROFILE_CONTENT_NONE,
	PROFILE_CONTENT_TEMPLATE,    /* of a key */
	PROFILE_CONTENT_CERTIFICATE, /* of a key, from the CA */
	PROFILE_CONTENT_EVIDENCE,    /* a report over a key, as Azure's paravisor stores it */
	PROFILE_CONTENT_BLOB,
	PROFILE_CONTENT_PLATFORM, /* a certificate of the platform, if its owner has given one */
};

struct profile_nv {
	uint32_t index;
	uint32_t attributes; /* TPMA_NV */
	uint8_t policy[PROFILE_DIGEST_MAX];
	size_t policy_size; /* 0: none; else 32, for the Name algorithm is SHA-256 */
	enum profile_content content;
	size_t key; /* index into keys, or PROFILE_NO_KEY */
	size_t blob_offset, blob_size;
	bool locked;
	uint32_t user_data; /* EVIDENCE: NV index of a guest that has it made anew; 0: none */
};

/* A primary key whose primes are found before a guest makes it. */
struct profile_ahead {
	uint32_t hierarchy; /* TPM_RH_OWNER or TPM_RH_ENDORSEMENT */
	uint8_t template[PROFILE_TEMPLATE_MAX];
	size_t template_size;
};

/* What to do when the host's CA is silent, slow or lies. */
enum profile_certificates {
	PROFILE_CERTIFICATES_NONE,     /* there is none to ask */
	PROFILE_CERTIFICATES_OPTIONAL, /* start without any */
	PROFILE_CERTIFICATES_REQUIRED, /* do not start */
};

#define PROFILE_MANIFEST_VERSION(n) (1u << (n))

struct profile {
	char name[PROFILE_NAME_MAX];
	/* Of libtpms, by which the TPM is made: a name, or JSON in braces; "": none. */
	char tpm_profile[PROFILE_TPM_PROFILE_MAX];
	uint16_t banks[PROFILE_BANKS_MAX]; /* TPM_ALG_ID */
	size_t bank_count;
	bool platform_auth_random;
	unsigned int manifests; /* PROFILE_MANIFEST_VERSION(n) of each that is offered */
	enum profile_certificates certificates;
	uint32_t certificate_timeout_ms; /* longest wait for one answer of the CA */
	bool attest_when_eh_disabled;
	struct profile_key keys[PROFILE_KEYS_MAX];
	size_t key_count;
	struct profile_nv nv[PROFILE_NV_MAX];
	size_t nv_count;
	struct profile_ahead ahead[PROFILE_AHEAD_MAX];
	size_t ahead_count;
	uint8_t blobs[PROFILE_BLOBS_MAX];
	size_t blobs_size;
};

struct profile_error {
	unsigned int line; /* 0: the file as a whole */
	const char *reason;
};

/* Parses size bytes of text. On failure error says where and why. */
bool profile_parse(struct profile *profile, const char *text, size_t size,
		   struct profile_error *error);

/* The key with this id, or NULL. */
const struct profile_key *profile_find_key(const struct profile *profile, uint32_t id);

/* The name of a key id in profiles and on command lines, or NULL; and the id of a name, or 0. */
const char *profile_key_name(uint32_t id);
uint32_t profile_key_id(const char *name, size_t length);

/* All names, one after another from index 0, and then NULL. A key may have more than one. */
const char *profile_key_name_at(size_t index);

/* Whether a public area is of the type, size and purpose that this key id promises. */
bool profile_key_fits(uint32_t id, const struct selector_template *info);

#endif
