/* SPDX-License-Identifier: MIT */
/* Certificates for the keys of a request that has been judged. */
#ifndef SOCLE_TOOLS_CA_ISSUE_H
#define SOCLE_TOOLS_CA_ISSUE_H

#include "core/base/host/file.h"
#include "tools/ca/authority.h"
#include "tools/ca/request.h"

#define CA_ISSUED_MAX (VTPM_MANIFEST_KEYS_MAX + 1)

/* DER certificates, in the order of the manifest's keys; the platform's is the last. */
struct ca_issued {
	struct file_bytes certificates[CA_ISSUED_MAX];
	uint64_t serials[CA_ISSUED_MAX];
	enum ca_key_role roles[CA_ISSUED_MAX];
	size_t count;
};

/*
 * Makes and records a certificate for every key; none is given when one cannot be made. The caller
 * ends with ca_issued_free().
 */
bool ca_issue(const struct ca_authority *ca, const struct ca_policy *policy,
	      const struct vtpm_manifest *manifest, struct ca_issued *issued,
	      struct host_error *error);

/* Adds a certificate of the platform for one of the endorsement keys to what ca_issue() gave. */
bool ca_issue_platform(const struct ca_authority *ca, const struct ca_policy *policy,
		       const struct vtpm_manifest_key *key,
		       const struct ca_platform_identity *platform, struct ca_issued *issued,
		       struct host_error *error);

void ca_issued_free(struct ca_issued *issued);

#endif
