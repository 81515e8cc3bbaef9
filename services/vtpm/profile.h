/* SPDX-License-Identifier: MIT */
/*
 * A vTPM profile: the measured data file that says how the TPM is provisioned. Syntax in
 * docs/profiles.md.
 */
#ifndef SOCLE_SERVICES_VTPM_PROFILE_H
#define SOCLE_SERVICES_VTPM_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROFILE_SIZE_MAX (16u << 10)
#define PROFILE_NAME_MAX 32
#define PROFILE_KEYS_MAX 8
#define PROFILE_BANKS_MAX 4
#define PROFILE_TEMPLATE_MAX 512

struct profile_key {
	char id[PROFILE_NAME_MAX];
	uint8_t template[PROFILE_TEMPLATE_MAX]; /* TPMT_PUBLIC */
	size_t template_size;
};

struct profile {
	char name[PROFILE_NAME_MAX];
	uint16_t banks[PROFILE_BANKS_MAX]; /* TPM_ALG_ID */
	size_t bank_count;
	struct profile_key keys[PROFILE_KEYS_MAX];
	size_t key_count;
};

struct profile_error {
	unsigned int line;
	const char *reason;
};

/* Parses size bytes of text. On failure error says where and why. */
bool profile_parse(struct profile *profile, const char *text, size_t size,
		   struct profile_error *error);

/* The key with this id, or NULL. */
const struct profile_key *profile_find_key(const struct profile *profile, const char *id);

#endif
