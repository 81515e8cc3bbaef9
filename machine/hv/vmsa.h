/* SPDX-License-Identifier: MIT */
/*
 * VMSA pages: what VMRUN loads and #VMEXIT stores for an SNP guest. While a plane is current its
 * state is in its VMCB and in this CPU; otherwise it is in its VMSA and nowhere else.
 */
#ifndef SOCLE_MACHINE_HV_VMSA_H
#define SOCLE_MACHINE_HV_VMSA_H

#include "machine/hv/vcpu.h"

/* The VMSA at gpa when VMRUN at vmpl would take it: RMP, VMPL, EFER.SVME, SEV_FEATURES; or NULL. */
struct snp_vmsa *vmsa_usable(uint64_t gpa, unsigned int vmpl);

/* Loads the plane from its VMSA on this CPU and marks the page as in use. False: not usable. */
bool vmsa_load(struct plane *p);

/* Stores the plane, which is loaded on this CPU, with the reason of its exit. */
void vmsa_store(struct plane *p, uint64_t exit_code);

/*
 * Stores a plane that is loaded on another CPU, outside the guest: without the registers that only
 * that CPU knows (x87, SSE, debug, XCR0), which keep the values of the last load.
 */
void vmsa_store_remote(struct plane *p, uint64_t exit_code);

#endif
