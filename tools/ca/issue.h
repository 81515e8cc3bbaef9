/* SPDX-License-Identifier: MIT */
/* Certificates for the keys of a request that has been judged. */
#ifndef SOCLE_TOOLS_CA_ISSUE_H
#define SOCLE_TOOLS_CA_ISSUE_H

#include "core/base/host/file.h"
#include "tools/ca/authority.h"
#include "tools/ca/request.h"

/* DER certificates, in the order of the manifest's keys. */
struct ca_issued {
	struct file_bytes certificates[VTPM_MANIFEST_KEYS_MAX];
	uint64_t serials[VTPM_MANIFEST_KEYS_MAX];
	enum ca_key_role roles[VTPM_MANIFEST_KEYS_MAX];
	size_t count;
};

/*
 * Makes and records a certificate for every key; none is given when one cannot be made. The caller
 * ends with ca_issued_free().
 */
bool ca_issue(const struct ca_authority *ca, const struct ca_policy *policy,
	      const struct vtpm_manifest *manifest, struct ca_issued *issued,
	      struct host_error *error);

void ca_issued_free(struct ca_issued *issued);

#endif
