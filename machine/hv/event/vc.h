/* SPDX-License-Identifier: MIT */
/*
 * #VC, delivered in software: QEMU's EVENTINJ pushes no error code for vector 29. RIP stays at the
 * instruction (APM volume 2, section 15.35.5).
 */
#ifndef SOCLE_MACHINE_HV_EVENT_VC_H
#define SOCLE_MACHINE_HV_EVENT_VC_H

#include "machine/hv/plane/vcpu.h"

/* Error code of #VC for an access to an assigned page that the guest has not validated. */
#define VC_PAGE_NOT_VALIDATED 0x404u

/*
 * Makes the current plane take #VC with that error code. When its own tables are in the way it
 * takes the #PF; when nothing can be delivered the machine stops.
 */
void vc_raise(struct vcpu *v, uint32_t code);

#endif
