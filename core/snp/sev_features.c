/* SPDX-License-Identifier: MIT */
#include "core/snp/sev_features.h"

#include <stddef.h>

#define FEATURE_BITS 64u

/* By bit. */
static const char *const names[FEATURE_BITS] = {
	[0] = "SNP active",
	[1] = "virtual TOM",
	[2] = "reflect #VC",
	[3] = "restricted injection",
	[4] = "alternate injection",
	[5] = "debug swap",
	[6] = "prevent host IBS",
	[7] = "BTB isolation",
	[8] = "VMPL supervisor shadow stack",
	[9] = "Secure TSC",
	[10] = "VMGEXIT parameter",
	[11] = "PMC virtualization",
	[12] = "IBS virtualization",
	[13] = "guest intercept control",
	[14] = "VMSA register protection",
	[15] = "SMT protection",
	[16] = "Secure AVIC",
	[21] = "IBPB on entry",
};

const char *sev_feature_name(uint64_t features)
{
	if (features == 0)
		return NULL;
	for (unsigned int bit = 0; bit < FEATURE_BITS; bit++) {
		if (features >> bit & 1)
			return names[bit] ? names[bit] : "reserved bit";
	}
	return NULL;
}
