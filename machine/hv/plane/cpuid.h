/* SPDX-License-Identifier: MIT */
/*
 * The guest's CPUID: the physical one of this CPU, without what the machine or QEMU cannot do, and
 * with what SEV-SNP adds. Never a table of some real processor: what is offered must work.
 */
#ifndef SOCLE_MACHINE_HV_PLANE_CPUID_H
#define SOCLE_MACHINE_HV_PLANE_CPUID_H

#include <stdbool.h>

#include "abi/snp.h"

#define CPUID_INVLPGB_COUNT_MAX 7u /* pages beside the first, as EPYC processors have it */

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

/* What CPUID says of this machine beside what the physical CPU says. */
struct cpuid_machine {
	unsigned int cpus; /* vCPUs of the guest */
	bool invlpgb;	   /* INVLPGB and TLBSYNC are offered */
};

/* Fills the page that the AMD-SP puts into the guest at launch. */
void cpuid_fill_page(struct snp_cpuid_page *page, const struct cpuid_machine *machine);

/* What the hypervisor answers to the vCPU with that APIC id: as the page, but for that vCPU. */
struct cpuid_regs cpuid_answer(uint32_t leaf, uint32_t subleaf, uint32_t apic_id,
			       const struct cpuid_machine *machine);

/* The pure part: filters raw, the physical CPU's registers, in place. */
void cpuid_filter(struct cpuid_regs *raw, uint32_t leaf, uint32_t subleaf, uint32_t apic_id,
		  const struct cpuid_machine *machine);

#endif
