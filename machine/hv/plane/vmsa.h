/* SPDX-License-Identifier: MIT */
/*
 * VMSA pages: what VMRUN loads and #VMEXIT stores for an SNP guest. While a plane is current its
 * state is in its VMCB and in this CPU; otherwise it is in its VMSA and nowhere else.
 */
#ifndef SOCLE_MACHINE_HV_PLANE_VMSA_H
#define SOCLE_MACHINE_HV_PLANE_VMSA_H

#include "machine/hv/plane/vcpu.h"

/*
 * Whether VMRUN would take the VMSA of a plane: RMP entry, VMPL, EFER.SVME, SEV_FEATURES. Which
 * VMPL and which of the features that the host has is the VMSA's choice.
 */
struct vmsa_refusal vmsa_refusal(const struct plane *p);

/* Whether BUSY is what VMRUN refuses: VMPL0 can have it run again. */
bool vmsa_is_busy(const struct plane *p);

/* SEV_FEATURES of a VMSA that vmsa_refusal() has nothing against. */
uint64_t vmsa_features(const struct plane *p);

/* Whether the host takes a VMSA at gpa, by the address alone. */
bool vmsa_place_taken(uint64_t gpa);

/* Whether a VMSA may have these SEV_FEATURES here. */
bool vmsa_features_known(uint64_t features);

/*
 * Loads the plane from its VMSA on this CPU and marks the page as in use, unless VMRUN refuses it;
 * one that another CPU has in use, too.
 */
struct vmsa_refusal vmsa_load(struct plane *p);

/* Stores the plane, which is loaded on this CPU, with the reason of its last exit. */
void vmsa_store(struct plane *p);

/*
 * The plane, which is loaded on this CPU, has not exited, and another plane runs here meanwhile:
 * takes what the CPU has of it aside. Its VMSA stays in use, and as it is.
 */
void vmsa_park(struct plane *p);

/* A parked plane runs on. */
void vmsa_unpark(struct plane *p);

/*
 * Stores a plane that is loaded on another CPU, outside the guest: without the registers that only
 * that CPU knows (x87, SSE, debug, XCR0), which keep the values of the last load.
 */
void vmsa_store_remote(struct plane *p);

#endif
