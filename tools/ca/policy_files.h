/* SPDX-License-Identifier: MIT */
/* The files that an authority judges reports by. */
#ifndef SOCLE_TOOLS_CA_POLICY_FILES_H
#define SOCLE_TOOLS_CA_POLICY_FILES_H

#include "core/evidence/host/amd_chain.h"
#include "tools/libverify/policy.h"
#include "tools/policy_options.h"

/*
 * The chain of the chip that is served: ark.pem, ask.pem and vcek.pem of a folder, ark instead of
 * the first if it is not NULL; or, without a folder, ark alone, or nothing. False after a line on
 * stderr. Either way amd_chain_free() is due.
 */
bool ca_load_chain(const char *folder, const char *ark, struct amd_chain *chain);

/* Revocation lists, for policy->crls; false after a line on stderr. */
bool ca_load_crls(const struct option_files *files, struct policy *policy);

#endif
