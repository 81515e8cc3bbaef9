/* SPDX-License-Identifier: MIT */
/* VMGEXIT: the GHCB MSR protocol and the exits of the GHCB page (GHCB specification 2 and 4). */
#ifndef SOCLE_MACHINE_HV_VMGEXIT_GHCB_H
#define SOCLE_MACHINE_HV_VMGEXIT_GHCB_H

#include "machine/hv/plane/vcpu.h"

/*
 * Serves the current plane's VMGEXIT; RIP is past the instruction. May switch planes, halt the
 * vCPU, or end the machine.
 */
void ghcb_vmgexit(struct vcpu *v);

/* Whether the current plane's next VMGEXIT would ask to run VMPL0. */
bool ghcb_asks_for_vmpl0(struct vcpu *v);

#endif
