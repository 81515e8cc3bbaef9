/* SPDX-License-Identifier: MIT */
/* SEV_FEATURES of a VMSA by name (APM volume 2, table B-4, offset 3b0h). */
#ifndef SOCLE_CORE_SNP_SEV_FEATURES_H
#define SOCLE_CORE_SNP_SEV_FEATURES_H

#include <stdint.h>

#include "abi/snp.h"

/*
 * The name of the lowest feature in features, in lower case as the manual writes it; "reserved bit"
 * where the manual has none, and NULL for 0.
 */
const char *sev_feature_name(uint64_t features);

#endif
