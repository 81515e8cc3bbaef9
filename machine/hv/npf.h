/* SPDX-License-Identifier: MIT */
/* Nested page faults: MMIO, pages the host still has to assign, and broken RMP rules. */
#ifndef SOCLE_MACHINE_HV_NPF_H
#define SOCLE_MACHINE_HV_NPF_H

#include "machine/hv/vcpu.h"

/* A nested page fault of the current plane. A broken rule stops the machine. */
void npf_exit(struct vcpu *v);

#endif
