/* SPDX-License-Identifier: MIT */
/* The control area of a VMCB: what a plane exits for, and which MSRs it has to itself. */
#ifndef SOCLE_MACHINE_HV_PLANE_CONTROL_AREA_H
#define SOCLE_MACHINE_HV_PLANE_CONTROL_AREA_H

#include "machine/hv/plane/vcpu.h"

/* Builds the permission maps, once. */
void control_area_init(void);

/* Fills in the control area, which is zero, of a plane whose VMSA has that vintr_ctrl. */
void control_area_reset(struct plane *p, uint64_t vintr_ctrl);

#endif
