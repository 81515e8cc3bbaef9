/* SPDX-License-Identifier: MIT */
/*
 * Certificates for public keys that the authority's operator gives, in files of a folder: NAME.pub,
 * a TPM2B_PUBLIC. There is no report: that the keys are of a TPM which deserves it is the
 * operator's word, and nothing that comes over the authority's channel gets here.
 */
#ifndef SOCLE_TOOLS_CA_CERTIFY_H
#define SOCLE_TOOLS_CA_CERTIFY_H

#include "tools/ca/issue.h"

#define CA_CERTIFY_PLATFORM "platform"

struct ca_certify_order {
	const char *keys;	  /* the folder they are in */
	const char *output;	  /* gets NAME.der, and is made if need be */
	const char *platform_key; /* which gets the platform's, platform.der; NULL: there is none */
	struct ca_platform_identity platform;
};

/* All or none: no certificate is made before every key has been looked at. */
bool ca_certify(const struct ca_authority *ca, const struct ca_policy *policy,
		const struct ca_certify_order *order, struct host_error *error);

#endif
