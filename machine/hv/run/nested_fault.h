/* SPDX-License-Identifier: MIT */
/* Nested page faults: MMIO, pages the host still has to assign, and broken RMP rules. */
#ifndef SOCLE_MACHINE_HV_RUN_NESTED_FAULT_H
#define SOCLE_MACHINE_HV_RUN_NESTED_FAULT_H

#include "machine/hv/plane/walk.h"

/* A nested page fault of the current plane. A broken rule stops the machine. */
void npf_exit(struct vcpu *v);

enum npf_answer {
	NPF_TRY_AGAIN,	   /* the host has mended it: the same again */
	NPF_NOT_VALIDATED, /* the CPU raises #VC (VC_PAGE_NOT_VALIDATED) */
};

/*
 * What follows an access that the hypervisor makes in the CPU's place and that ended as WALK_NPF:
 * the nested page fault that the CPU would have had. A broken rule stops the machine.
 */
enum npf_answer npf_walk(struct vcpu *v, const struct walk_result *w);

#endif
