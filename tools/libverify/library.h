/* SPDX-License-Identifier: MIT */
/* What the library's own parts share of its interface's objects. */
#ifndef SOCLE_TOOLS_LIBVERIFY_LIBRARY_H
#define SOCLE_TOOLS_LIBVERIFY_LIBRARY_H

#include "tools/libverify/policy.h"
#include "tools/libverify/socle-verify.h"

/* What a policy demands, which lives as long as it. */
const struct policy *library_rules(const struct socle_policy *policy);

/* As socle_verify(), by rules that need not be a whole policy's. */
struct socle_verdict *library_verify(const struct socle_evidence *evidence,
				     const struct policy *rules, char *error);

/* Passes an error on to the caller, who may not want it; false. */
bool library_fail(char *to, const struct host_error *error);

#endif
