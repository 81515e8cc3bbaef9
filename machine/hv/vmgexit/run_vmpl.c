/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/handlers.h"

#include "machine/hv/base/fault_plan.h"
#include "machine/hv/base/log.h"

/* The answer is written before the caller's state is put away: it sees it when it resumes. */
static bool run_vmpl(struct vcpu *v, unsigned int vmpl)
{
	if (v->current == 0 && fault_strikes(MAILBOX_FAULT_REFUSE_RUN_VMPL))
		return false;
	return vcpu_switch_plane(v, vmpl);
}

void nae_run_vmpl(struct ghcb_call *c)
{
	if (c->info_1 >= SNP_VMPL_COUNT || c->info_1 == c->p->vmpl ||
	    !run_vmpl(c->v, (unsigned int)c->info_1))
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
}

uint64_t ghcb_msr_run_vmpl(struct vcpu *v, uint64_t request)
{
	unsigned int vmpl = request >> 32 & 0xff;

	if (run_vmpl(v, vmpl))
		return GHCB_MSR_RUN_VMPL_RESP;
	if (ghcb_refusal_is_news(v))
		hv_log("VMPL%u of vCPU %u: VMPL%u cannot run", v->current, v->id, vmpl);
	return GHCB_MSR_RUN_VMPL_RESP | GHCB_MSR_FAILED;
}
