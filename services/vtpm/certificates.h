/* SPDX-License-Identifier: MIT */
/*
 * Gets certificates for the keys of the profile from the host's CA (abi/ca.h). Nothing that the CA
 * says is trusted: a certificate is kept only if it is for the key that it was requested for.
 */
#ifndef SOCLE_SERVICES_VTPM_CERTIFICATES_H
#define SOCLE_SERVICES_VTPM_CERTIFICATES_H

#include "services/vtpm/vtpm.h"

struct certificates {
	/* Of profile->keys; size 0: none. */
	struct {
		const uint8_t *data;
		size_t size;
	} der[PROFILE_KEYS_MAX];
	/* The platform's, whoever gave it; a CA on the host channel gives none. */
	struct {
		const uint8_t *data;
		size_t size;
	} platform;
	uint8_t *payload; /* the CA's message, which they lie in */
};

/*
 * A certificate for every key whose certificate the profile stores, or none at all. NULL, or why
 * there are none. The caller ends with certificates_free() in both cases.
 */
const char *certificates_get(struct vtpm *vtpm, struct certificates *certificates);
void certificates_free(struct certificates *certificates);

#endif
