/* SPDX-License-Identifier: MIT */
/* VMGEXIT: the GHCB MSR protocol and the exits of the GHCB page (GHCB specification 2 and 4). */
#ifndef SOCLE_MACHINE_HV_VMGEXIT_GHCB_H
#define SOCLE_MACHINE_HV_VMGEXIT_GHCB_H

#include "machine/hv/plane/vcpu.h"

/*
 * What we offer, bits of GHCB_HV_FEATURE_*. The list of APIC ids is served but not advertised: the
 * ids are 0 to n-1, and asking for them would only be one more exit.
 */
#define GHCB_HV_FEATURES_OFFERED                                                   \
	(GHCB_HV_FEATURE_SNP | GHCB_HV_FEATURE_AP_CREATION |                       \
	 GHCB_HV_FEATURE_RESTRICTED_INJECTION | GHCB_HV_FEATURE_RESTRICTED_TIMER | \
	 GHCB_HV_FEATURE_MULTI_VMPL)

/* The GHCB MSR of a plane that has just got a VMSA, and ghcb_registered's value. */
uint64_t ghcb_msr_reset_value(void);
#define GHCB_NOT_REGISTERED (~0ull)

/*
 * Serves the current plane's VMGEXIT; RIP is past the instruction. May switch planes, halt the
 * vCPU, or end the machine.
 */
void ghcb_vmgexit(struct vcpu *v);

/* Whether the current plane's next VMGEXIT would ask to run VMPL0. */
bool ghcb_asks_for_vmpl0(struct vcpu *v);

#endif
