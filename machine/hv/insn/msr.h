/* SPDX-License-Identifier: MIT */
/*
 * MSRs of a guest. Those that an SNP guest reads and writes without #VC (its VMSA holds them) go
 * through or are done here; every other one is #VC.
 */
#ifndef SOCLE_MACHINE_HV_INSN_MSR_H
#define SOCLE_MACHINE_HV_INSN_MSR_H

#include "machine/hv/plane/vcpu.h"

/* Builds the permission maps, once. */
void msr_init(void);

/* Their physical addresses, for the VMCB. */
uint64_t msr_permissions(void);
uint64_t msr_io_permissions(void);

/* An MSR exit of the current plane. */
void msr_exit(struct vcpu *v);

#endif
