/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/call.h"

#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/memory/guest.h"

#define REFUSALS_LOGGED 64u /* of each vCPU */

void ghcb_error(struct ghcb_call *c, uint64_t error)
{
	c->result_1 = GHCB_RESULT_ERROR;
	c->result_2 = error;
	c->output = 0;
}

static void inject(struct ghcb_call *c, uint32_t event)
{
	c->result_1 = GHCB_RESULT_INJECT;
	c->result_2 = event | SVM_EVENT_TYPE_EXCEPTION | SVM_EVENT_VALID;
	c->output = 0;
}

void ghcb_inject_gp(struct ghcb_call *c)
{
	inject(c, X86_VECTOR_GP | SVM_EVENT_ERROR_CODE);
}

void ghcb_inject_ud(struct ghcb_call *c)
{
	inject(c, X86_VECTOR_UD);
}

void *ghcb_scratch(struct ghcb_call *c, uint64_t size)
{
	void *data = NULL;

	if (size <= ABI_PAGE_SIZE && (c->fields & GHCB_FIELD_SCRATCH))
		data = guest_ptr(c->scratch, size, GUEST_SHARED);
	if (data == NULL)
		ghcb_error(c, GHCB_ERROR_INVALID_SCRATCH);
	return data;
}

bool ghcb_host_has(uint64_t features)
{
	return !(features & ~hv_mailbox()->host.hv_features);
}

bool ghcb_refusal_is_news(const struct vcpu *v)
{
	static unsigned int refusals[MACHINE_CPUS_MAX];

	if (refusals[v->id] == REFUSALS_LOGGED)
		return false;
	return ++refusals[v->id] <= REFUSALS_LOGGED;
}
