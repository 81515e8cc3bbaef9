/* SPDX-License-Identifier: MIT */
#include "core/snp/cpu_features.h"

#include <string.h>

#include "abi/params.h"

/* Bits: APM volume 3, appendix E.3 (leaves 1 and 7). */
const struct cpu_feature cpu_features[CPU_FEATURES] = {
	{ "smep", SOCLE_MISSING_SMEP, 7, CPU_EBX, 1u << 7,
	  "ring 0 could be led into code of a service" },
	{ "smap", SOCLE_MISSING_SMAP, 7, CPU_EBX, 1u << 20,
	  "ring 0 could be led to data of a service" },
	{ "umip", SOCLE_MISSING_UMIP, 7, CPU_ECX, 1u << 2,
	  "a service sees where the monitor has its tables" },
	{ "aes", SOCLE_MISSING_AES, 1, CPU_ECX, 1u << 25,
	  "AES of the services shows its key in the cache" },
	{ "pclmulqdq", SOCLE_MISSING_PCLMULQDQ, 1, CPU_ECX, 1u << 1,
	  "GCM of the services shows its key in the cache" },
	{ "rdrand", SOCLE_MISSING_RDRAND, 1, CPU_ECX, 1u << 30,
	  "random bytes come from RDSEED alone, or there are none" },
};

const struct cpu_feature *cpu_feature_find(const char *name)
{
	for (size_t i = 0; i < CPU_FEATURES; i++) {
		if (strcmp(cpu_features[i].name, name) == 0)
			return &cpu_features[i];
	}
	return NULL;
}
