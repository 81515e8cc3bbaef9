/* SPDX-License-Identifier: MIT */
/*
 * The processor features that Socle's guarantees depend on, and that an image may be built to do
 * without. The host chooses what CPUID offers; the AMD-SP only makes sure that it offers nothing
 * that the processor lacks.
 */
#ifndef SOCLE_CORE_SNP_CPU_FEATURES_H
#define SOCLE_CORE_SNP_CPU_FEATURES_H

#include <stddef.h>
#include <stdint.h>

enum cpu_register {
	CPU_EBX,
	CPU_ECX,
};

struct cpu_feature {
	const char *name; /* as --allow-missing takes it, and QEMU's -cpu */
	uint64_t flag;	  /* SOCLE_MISSING_*: abi/params.h */
	uint32_t leaf;	  /* CPUID, subleaf 0 */
	enum cpu_register where;
	uint32_t mask;
	const char *loss; /* what does not hold without it */
};

#define CPU_FEATURES 6u

extern const struct cpu_feature cpu_features[CPU_FEATURES];

/* The feature of that name, or NULL. */
const struct cpu_feature *cpu_feature_find(const char *name);

#endif
