/* SPDX-License-Identifier: MIT */
#include "tools/igvm/lower_calls.h"

#include "abi/params.h"

const struct lower_call lower_calls[LOWER_CALLS] = {
	{ "attest", SOCLE_LOWER_ATTEST },
	{ "vtpm", SOCLE_LOWER_VTPM },
};
