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
#include "machine/hv/plane/xstate.h"

#define CPUID_INVLPGB_COUNT_MAX \
	7u /* pages after the first that the instruction takes, as on EPYC */

/* What CPUID says of this machine besides what the physical CPU says. */
struct cpuid_machine {
	unsigned int cpus;	/* vCPUs of the guest */
	bool invlpgb;		/* INVLPGB and TLBSYNC are offered, */
	uint32_t invlpgb_count; /* for so many pages after the first */
	bool cmpxchg16b;	/* QEMU has it right */
	bool kvm_clock;		/* the leaves of KVM's interface are there */
	bool kvm_eoi;		/* ... and say that interrupts are ended in memory */
	bool secure_tsc;	/* a guest has the TSC that the host cannot slow down */
	uint64_t xfeatures;	/* what XCR0 may have; 0: XSAVE is not shown */
	uint64_t xcr0; /* for sizes: as the guest says, by its GHCB or in XCR0_IN of the page */
};

/*
 * Whether CMPXCHG16B leaves RFLAGS right but for ZF. QEMU 7.2 makes them of stale values, so that
 * an interrupt right after it shows a guest in virtual-8086 mode.
 */
bool cpuid_cmpxchg16b_right(void);

static inline struct cpuid_machine cpuid_this_machine(void)
{
	return (struct cpuid_machine){
		.cpus = cpu_count(),
		.cmpxchg16b = cpuid_cmpxchg16b_right(),
		.xfeatures = hv_mailbox()->xsave ? xstate_features() : 0,
		.invlpgb_count = hv_mailbox()->host.invlpgb_count,
		.kvm_clock = hv_mailbox()->host.kvm_clock,
		.kvm_eoi = hv_mailbox()->host.kvm_eoi,
		.secure_tsc = hv_mailbox()->secure_tsc,
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
 * empty one gets all leaves, or, when it is for extended state, those of leaf 0xD, if there are
 * any. False, and *refusal says what, when the AMD-SP refuses it.
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
