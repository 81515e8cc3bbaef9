/* SPDX-License-Identifier: MIT */
/*
 * The protocols of the SVSM that an image can grant to the guest's less privileged levels, by name.
 */
#ifndef SOCLE_TOOLS_IGVM_LOWER_CALLS_H
#define SOCLE_TOOLS_IGVM_LOWER_CALLS_H

#include <stddef.h>
#include <stdint.h>

struct lower_call {
	const char *name; /* as --lower-calls takes it, and `socle igvm show` says it */
	uint32_t flag;	  /* SOCLE_LOWER_*: abi/params.h */
};

#define LOWER_CALLS 2u

extern const struct lower_call lower_calls[LOWER_CALLS];

#endif
