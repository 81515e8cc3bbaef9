/* SPDX-License-Identifier: MIT */
/*
 * One exit by the GHCB page, as its handler sees it. Inputs were copied once; the guest can change
 * the page as it likes afterwards. Outputs are written when the handler has returned.
 */
#ifndef SOCLE_MACHINE_HV_VMGEXIT_CALL_H
#define SOCLE_MACHINE_HV_VMGEXIT_CALL_H

#include "abi/ghcb.h"
#include "machine/hv/plane/vcpu.h"

#define GHCB_FIELD_RAX (1u << 0)
#define GHCB_FIELD_RBX (1u << 1)
#define GHCB_FIELD_RCX (1u << 2)
#define GHCB_FIELD_RDX (1u << 3)
#define GHCB_FIELD_SCRATCH (1u << 4)
#define GHCB_FIELD_EXIT (1u << 5) /* exit code and both exit infos */
#define GHCB_FIELD_XCR0 (1u << 6)

struct ghcb_call {
	struct vcpu *v;
	struct plane *p;
	uint64_t gpa; /* of the GHCB page */

	uint32_t fields; /* GHCB_FIELD_* that the guest marked valid */
	uint64_t code, info_1, info_2, scratch, xcr0;
	uint64_t rax, rbx, rcx, rdx; /* in and out */

	uint64_t result_1, result_2;
	uint32_t output; /* GHCB_FIELD_* that go back */
};

/* The answer is GHCB_RESULT_ERROR with one of GHCB_ERROR_*. */
void ghcb_error(struct ghcb_call *c, uint64_t error);

/* The guest is to raise #GP(0), or #UD, at the instruction that made it ask. */
void ghcb_inject_gp(struct ghcb_call *c);
void ghcb_inject_ud(struct ghcb_call *c);

/*
 * The size bytes that the scratch field points to, when all of them are shared and in one page;
 * otherwise NULL, and the answer is GHCB_ERROR_INVALID_SCRATCH.
 */
void *ghcb_scratch(struct ghcb_call *c, uint64_t size);

/* Whether the host has all of these GHCB_HV_FEATURE_*. */
bool ghcb_host_has(uint64_t features);

/* Whether one more refusal of that vCPU is to be logged: the log is not the guest's to fill. */
bool ghcb_refusal_is_news(const struct vcpu *v);

#endif
