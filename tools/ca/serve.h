/* SPDX-License-Identifier: MIT */
/* The authority's side of a conversation (abi/ca.h). */
#ifndef SOCLE_TOOLS_CA_SERVE_H
#define SOCLE_TOOLS_CA_SERVE_H

#include "tools/ca/authority.h"
#include "tools/ca/channel.h"
#include "tools/ca/request.h"

/*
 * Answers a vTPM until it hangs up or its time is over. What was issued is told on standard output,
 * what was refused on standard error, a line each. False when anything was refused.
 */
bool ca_serve(const struct ca_channel *channel, const struct ca_authority *ca,
	      const struct ca_policy *policy);

#endif
