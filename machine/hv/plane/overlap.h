/* SPDX-License-Identifier: MIT */
/*
 * Two planes of a vCPU at once. A host may run VMPL0 on one CPU while a less privileged plane of
 * the same vCPU has not exited on another: that plane's VMSA is in use, and what it holds is the
 * plane's previous exit. This host has one CPU for a vCPU, so it takes turns: the plane that does
 * not run is parked, with its VMSA in use and its state outside it, and is stored at a true exit,
 * as on hardware (APM volume 2, 15.36.7 and 15.36.12).
 *
 * By `--fault planes-at-once` it happens where a plane is about to ask for VMPL0: its VMGEXIT is
 * still to come. By `--fault planes-at-once-interrupt`, where a physical interrupt stops it.
 */
#ifndef SOCLE_MACHINE_HV_PLANE_OVERLAP_H
#define SOCLE_MACHINE_HV_PLANE_OVERLAP_H

#include "machine/hv/plane/vcpu.h"

/* Whether VMPL0 of v could run while its current plane has not exited. */
bool overlap_possible(const struct vcpu *v);

/*
 * It could, and the current plane is about to ask for it. True: VMPL0 runs from now on. The caller
 * leaves everything as it is, RIP included: the VMGEXIT comes when the plane has its turn.
 */
bool overlap_vmgexit(struct vcpu *v);

/* A physical interrupt stopped the current plane of v. */
void overlap_interrupt(struct vcpu *v);

/* After each exit: VMPL0 has run for its time next to a parked plane, which gets its turn. */
void overlap_turn(struct vcpu *v);

/* When that time is over, for the physical timer; 0: nothing is parked. */
uint64_t overlap_deadline(const struct vcpu *v);

#endif
