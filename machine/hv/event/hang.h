/* SPDX-License-Identifier: MIT */
/*
 * The end of a guest that does nothing more and never will: no vCPU runs, and none can be woken. A
 * guest that runs in circles cannot be told from one that works; `--timeout` ends it.
 */
#ifndef SOCLE_MACHINE_HV_EVENT_HANG_H
#define SOCLE_MACHINE_HV_EVENT_HANG_H

#include "machine/hv/plane/vcpu.h"

/* v has found nothing to do. Ends the machine when no vCPU ever will have. */
void hang_check(struct vcpu *v);

#endif
