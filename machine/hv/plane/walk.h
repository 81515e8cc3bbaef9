/* SPDX-License-Identifier: MIT */
/*
 * The guest's own address translation, for what the hypervisor does in the place of the CPU. Reads
 * page tables from the private side, as hardware does, whatever the C-bit says.
 */
#ifndef SOCLE_MACHINE_HV_PLANE_WALK_H
#define SOCLE_MACHINE_HV_PLANE_WALK_H

#include "machine/hv/plane/vcpu.h"

#define WALK_WRITE (1u << 0)
#define WALK_USER (1u << 1) /* the access counts as CPL 3 */
#define WALK_FETCH (1u << 2)

enum walk_status {
	WALK_OK,
	WALK_PAGE_FAULT, /* the guest's tables do not allow it: #PF with error */
	WALK_NPF,	 /* the RMP does not allow it, or no RAM: gpa says where */
};

struct walk_result {
	enum walk_status status;
	uint64_t gpa;	    /* without C-bit */
	bool private;	    /* the side that the access goes to */
	unsigned int perms; /* with WALK_NPF: the rights that it needs, RMP_PERM_* */
	uint32_t error;	    /* of the #PF */
	uint64_t linear;    /* where it stopped */
};

/* Translates one linear address for the current plane. Checks the guest's tables only. */
struct walk_result walk_linear(struct vcpu *v, uint64_t linear, unsigned int access);

/*
 * Reads or writes guest memory at a linear address as the current plane would, also across pages,
 * with the rights of its VMPL. A write that fails has written nothing.
 */
struct walk_result walk_read(struct vcpu *v, uint64_t linear, void *to, size_t size,
			     unsigned int access);
struct walk_result walk_write(struct vcpu *v, uint64_t linear, const void *from, size_t size,
			      unsigned int access);

enum walk_answer {
	WALK_TRY_AGAIN,	    /* the host has fixed it: try again */
	WALK_NOT_VALIDATED, /* the CPU raises #VC (VC_PAGE_NOT_VALIDATED) */
};

/*
 * What follows an access that the hypervisor makes in the CPU's place and that ended as WALK_NPF:
 * the nested page fault that the CPU would have had. A broken rule stops the machine.
 */
enum walk_answer walk_fault(struct vcpu *v, const struct walk_result *w);

/* The current plane broke a rule of the RMP at gpa: says which, and stops the machine. */
_Noreturn void rmp_violation(const struct vcpu *v, const char *what, uint64_t gpa, uint64_t error);

#endif
