/* SPDX-License-Identifier: MIT */
/*
 * The guest's CPUID: the physical one of this CPU, without what the machine or QEMU cannot do, and
 * with what SEV-SNP adds. Never a table of some real processor: what is offered must work.
 */
#ifndef SOCLE_MACHINE_HV_PLANE_CPUID_H
#define SOCLE_MACHINE_HV_PLANE_CPUID_H

#include <stdbool.h>

#include "abi/snp.h"
#include "core/image/host_model.h"
#include "machine/hv/base/cpu.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"

#define CPUID_INVLPGB_COUNT_MAX 7u /* pages after the first, as EPYC processors have it */

/* What CPUID says of this machine besides what the physical CPU says. */
struct cpuid_machine {
	unsigned int cpus; /* vCPUs of the guest */
	bool invlpgb;	   /* INVLPGB and TLBSYNC are offered */
};

static inline struct cpuid_machine cpuid_this_machine(void)
{
	return (struct cpuid_machine){
		.cpus = cpu_count(),
		.invlpgb = hv_mailbox()->host.invlpgb != HOST_INVLPGB_HIDDEN,
	};
}

/* What the AMD-SP does not take in a page: mailbox.h, MAILBOX_STOP_CPUID_PAGE. */
struct cpuid_refusal {
	uint32_t entry;
	unsigned int reg;
};

/*
 * Fills a page that is put into the guest at launch, as host and AMD-SP do it together. A page that
 * lists leaves gets their values where it has zeros, and what it has is judged (cpuid_rules.h); an
 * empty one gets all leaves, or, when it is for extended state, those of leaf 0xD, if there are any.
 * False, and *refusal says what, when the AMD-SP refuses it.
 */
bool cpuid_fill_page(struct snp_cpuid_page *page, bool extended_state,
		     const struct cpuid_machine *machine, struct cpuid_refusal *refusal);

/* What the hypervisor answers to the vCPU with that APIC id: as the page, but for that vCPU. */
struct x86_cpuid cpuid_answer(uint32_t leaf, uint32_t subleaf, uint32_t apic_id,
			      const struct cpuid_machine *machine);

/* The pure part: filters raw, the physical CPU's registers, in place. */
void cpuid_filter(struct x86_cpuid *raw, uint32_t leaf, uint32_t subleaf, uint32_t apic_id,
		  const struct cpuid_machine *machine);

#endif
