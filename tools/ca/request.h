/* SPDX-License-Identifier: MIT */
/*
 * What a vTPM asks of the authority (abi/ca.h), taken apart and judged. All of it comes from
 * somebody who is not trusted until the last check has passed.
 */
#ifndef SOCLE_TOOLS_CA_REQUEST_H
#define SOCLE_TOOLS_CA_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/ca.h"
#include "abi/svsm.h"
#include "core/base/host/error.h"
#include "core/evidence/host/amd_chain.h"
#include "core/evidence/vtpm_manifest.h"
#include "tools/ca/certificate.h"
#include "tools/libverify/checks.h"

#define CA_PROFILE_NAME_MAX 32u /* with its terminating NUL */

/* The three parts of a request, in the bytes that were received. */
struct ca_request_parts {
	const uint8_t *report, *manifest, *certificates;
	size_t report_size, manifest_size, certificates_size;
};

/* What the authority demands, and what it says of the TPMs that it vouches for. */
struct ca_policy {
	struct policy report;	/* of its report and certificates */
	struct amd_chain chain; /* the authority's own; the request's table has what is NULL here */
	const char *profile;	/* the only one that is served, or NULL */
	struct ca_tpm_identity tpm;
	long days;
};

/* Takes the payload of a CA_REQUEST apart; NULL, or what is wrong. */
const char *ca_request_read(struct ca_request_parts *parts, const void *payload, size_t size);

/*
 * The name of a profile from the payload of a CA_HELLO or from a file: a-z, 0-9 and '-'. NULL, or
 * what is wrong.
 */
const char *ca_request_profile(char name[CA_PROFILE_NAME_MAX], const void *data, size_t size);

/*
 * Judges a request that was made for nonce with the named profile. On success the manifest's keys,
 * in parts->manifest, may be certified. Otherwise error says which check failed and why.
 */
bool ca_request_judge(const struct ca_policy *policy, const uint8_t nonce[SVSM_NONCE_SIZE],
		      const char *profile, const struct ca_request_parts *parts,
		      struct vtpm_manifest *manifest, struct host_error *error);

#endif
