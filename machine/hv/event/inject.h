/* SPDX-License-Identifier: MIT */
/*
 * What the current plane takes at VMRUN. A plane without restricted injection gets interrupts by
 * EVENTINJ when it can take them; one with it (SEV_FEATURES bit 3) gets nothing but #HV, after the
 * event was written to its doorbell page (GHCB specification, "#HV doorbell page").
 */
#ifndef SOCLE_MACHINE_HV_EVENT_INJECT_H
#define SOCLE_MACHINE_HV_EVENT_INJECT_H

#include "machine/hv/plane/vcpu.h"

/* Prepares injection into the current plane. Just before VMRUN; a valid EVENTINJ is left alone. */
void inject_before_run(struct vcpu *v);

/*
 * After inject_before_run(): the current plane p leaves the guest as soon as IF is set, with
 * nothing to inject by then. False, and nothing is done, where that would be at once, or where it
 * takes no interrupts by EVENTINJ.
 */
bool inject_look_at_if(struct plane *p);

/* True when plane p has an event that ends HLT or AP reset hold. */
bool inject_pending(struct plane *p);

#endif
