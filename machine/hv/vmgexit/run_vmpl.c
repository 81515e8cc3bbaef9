/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/handlers.h"

#include "machine/hv/base/fault_plan.h"
#include "machine/hv/base/log.h"
#include "machine/hv/event/local_apic.h"
#include "machine/hv/event/sweep.h"

/*
 * What a host can do to a plane of its own accord: its APIC is as at reset, its VMSA what it was.
 */
static void reset_plane(struct vcpu *v, unsigned int vmpl)
{
	struct plane *p = &v->planes[vmpl];
	uint64_t features = SNP_FEATURE_SNP | (p->alternate ? SNP_FEATURE_ALTERNATE_INJECTION : 0);

	if (vcpu_set_vmsa(v->id, vmpl, p->vmsa_gpa, features, false))
		local_apic_start(v, p);
}

/* The answer is written before the caller's state is put away: it sees it when it resumes. */
static bool run_vmpl(struct vcpu *v, uint64_t vmpl)
{
	struct vmsa_refusal refusal;

	if (v->current != 0 && vmpl == 0)
		sweep_begin(v);
	if (v->current == 0 && fault_strikes(MAILBOX_FAULT_REFUSE_RUN_VMPL))
		return false;
	if (v->current == 0 && vmpl < SNP_VMPL_COUNT && v->planes[vmpl].state != PLANE_NONE &&
	    fault_strikes(MAILBOX_FAULT_RESET_PLANE))
		reset_plane(v, (unsigned int)vmpl);
	refusal = vcpu_switch_plane(v, vmpl < SNP_VMPL_COUNT ? (unsigned int)vmpl : SNP_VMPL_COUNT);
	if (refusal.what && ghcb_refusal_is_news(v))
		hv_log("VMPL%u of vCPU %u: VMPL%lu cannot run: %s%s", v->current, v->id, vmpl,
		       refusal.what, refusal.feature);
	return !refusal.what;
}

void nae_run_vmpl(struct ghcb_call *c)
{
	if (!run_vmpl(c->v, c->info_1))
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
}

uint64_t ghcb_msr_run_vmpl(struct vcpu *v, uint64_t request)
{
	if (run_vmpl(v, request >> 32 & 0xff))
		return GHCB_MSR_RUN_VMPL_RESP;
	return GHCB_MSR_RUN_VMPL_RESP | GHCB_MSR_FAILED;
}
