/* SPDX-License-Identifier: MIT */
/*
 * MSRs that a guest asks for by GHCB exit: its local APIC, and those that a kernel for AMD
 * processors touches without being asked to. The others do not exist: #GP.
 */
#ifndef SOCLE_MACHINE_HV_VMGEXIT_MSR_H
#define SOCLE_MACHINE_HV_VMGEXIT_MSR_H

#include "machine/hv/vmgexit/call.h"

/* NAE exit MSR: RCX, and for a write (SW_EXITINFO1 = 1) RDX:RAX. */
void nae_msr_exit(struct ghcb_call *c);

#endif
