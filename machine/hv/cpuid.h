/* SPDX-License-Identifier: MIT */
/*
 * The guest's CPUID: the physical one of this CPU, without what the machine or QEMU cannot do, and
 * with what SEV-SNP adds. Never a table of some real processor: what is offered must work.
 */
#ifndef SOCLE_MACHINE_HV_CPUID_H
#define SOCLE_MACHINE_HV_CPUID_H

#include "abi/snp.h"

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

/* Fills the page that the AMD-SP puts into the guest at launch, for a guest with cpus vCPUs. */
void cpuid_fill_page(struct snp_cpuid_page *page, unsigned int cpus);

/* What the hypervisor answers to the vCPU with that APIC id: as the page, but for that vCPU. */
struct cpuid_regs cpuid_answer(uint32_t leaf, uint32_t subleaf, uint32_t apic_id,
			       unsigned int cpus);

/* The pure part: filters raw, the physical CPU's registers, in place. */
void cpuid_filter(struct cpuid_regs *raw, uint32_t leaf, uint32_t subleaf, uint32_t apic_id,
		  unsigned int cpus);

#endif
