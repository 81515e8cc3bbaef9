/* SPDX-License-Identifier: MIT */
/*
 * What the AMD-SP lets a CPUID page say when SNP_LAUNCH_UPDATE brings it: for each register of each
 * leaf a rule against what the processor has. The rules are those of the Processor Programming
 * Reference's "CPUID Policy Enforcement", read in AMD's published firmware (cpuid_lookup.c of
 * AMD-ASPFW).
 */
#ifndef SOCLE_MACHINE_HV_PLANE_CPUID_RULES_H
#define SOCLE_MACHINE_HV_PLANE_CPUID_RULES_H

#include <stdbool.h>

#include "abi/snp.h"
#include "machine/hv/base/x86.h"

/*
 * Whether the AMD-SP takes the entry on a processor that answers real. On false, *bad is the first
 * register that it does not take: 0 for EAX to 3 for EDX, or CPUID_RULES_RESERVED.
 */
bool cpuid_rules_take(const struct snp_cpuid_entry *entry, const struct x86_cpuid *real,
		      unsigned int *bad);

#define CPUID_RULES_RESERVED 4u /* the entry's reserved field is not 0 */

#endif
