/* SPDX-License-Identifier: MIT */
/* What a #VMEXIT of the current plane leads to. */
#ifndef SOCLE_MACHINE_HV_RUN_EXIT_H
#define SOCLE_MACHINE_HV_RUN_EXIT_H

#include "machine/hv/plane/vcpu.h"

/* Handles the exit that the current plane's VMCB describes. */
void exit_handle(struct vcpu *v);

#endif
