/* SPDX-License-Identifier: MIT */
/*
 * Alternate injection (APM volume 2, 15.36.16; GHCB specification, extended interrupts): what a
 * plane with it takes is in its VMSA, which VMPL0 writes. What the host has for such a plane it
 * writes to the plane's descriptor in the #HV doorbell page of VMPL0. Until that can be, the
 * plane's local APIC (local_apic.h) holds it, in IRR and TMR.
 */
#ifndef SOCLE_MACHINE_HV_EVENT_ALTERNATE_H
#define SOCLE_MACHINE_HV_EVENT_ALTERNATE_H

#include "machine/hv/plane/vcpu.h"

/*
 * Hands what the APICs of this vCPU's planes with alternate injection hold to VMPL0, and has it
 * told by the vector that it configured. What finds no place stays.
 */
void alternate_tell(struct vcpu *v);

/*
 * The vector of the plane's virtual interrupt, if its global flag and its priority let it in; or
 * -1.
 */
int alternate_vector(const struct plane *p);

/*
 * DISABLE_ALT_INJ: from now on the plane's interrupts are the host's. Its APIC, in x2APIC mode and
 * enabled, starts with IRR, ISR and NMI of the descriptor.
 */
void alternate_end(struct vcpu *v, struct plane *p, uint8_t tpr);

/*
 * By `--fault cut-delivery`, as a fault of the nested tables would do it: the event that the
 * current plane was to take is cut by an exit, and VMPL0 runs. False: nothing was done.
 */
bool alternate_cut(struct vcpu *v);

#endif
