/* SPDX-License-Identifier: MIT */
#include "machine/hv/base/counters.h"
#include "machine/hv/base/log.h"
#include "machine/hv/memory/guest.h"
#include "machine/hv/vmgexit/handlers.h"

#define NO_PREFERENCE (~0ull << 12) /* all-ones page number */

static uint64_t register_page(struct vcpu *v, uint64_t request)
{
	uint64_t gpa = request & ~GHCB_MSR_INFO_MASK & ~HV_C_BIT;

	/* An all-ones page number is the refusal. */
	if (!guest_is_ram(gpa))
		return GHCB_MSR_REG_GPA_RESP | NO_PREFERENCE;
	vcpu_plane(v)->ghcb_registered = gpa;
	return GHCB_MSR_REG_GPA_RESP | (request & ~GHCB_MSR_INFO_MASK);
}

static uint64_t features(struct vcpu *v, uint64_t request)
{
	(void)v;
	(void)request;
	return GHCB_MSR_HV_FEATURES_RESP | hv_mailbox()->host.hv_features << 12;
}

static const struct {
	uint64_t info;
	uint64_t (*handler)(struct vcpu *v, uint64_t request);
	uint64_t answer;  /* without a handler */
	uint64_t feature; /* GHCB_HV_FEATURE_* without which the host does not know it; 0: none */
} requests[] = {
	{ GHCB_MSR_SEV_INFO_REQ, NULL, PLANE_GHCB_MSR_RESET, 0 },
	{ GHCB_MSR_CPUID_REQ, ghcb_msr_cpuid, 0, 0 },
	{ GHCB_MSR_AP_RESET_HOLD_REQ, ghcb_msr_reset_hold, 0, 0 },
	{ GHCB_MSR_PREF_GPA_REQ, NULL, GHCB_MSR_PREF_GPA_RESP | NO_PREFERENCE, 0 },
	{ GHCB_MSR_REG_GPA_REQ, register_page, 0, 0 },
	{ GHCB_MSR_PSC_REQ, ghcb_msr_page_state, 0, 0 },
	{ GHCB_MSR_RUN_VMPL_REQ, ghcb_msr_run_vmpl, 0, GHCB_HV_FEATURE_MULTI_VMPL },
	{ GHCB_MSR_HV_FEATURES_REQ, features, 0, 0 },
	{ GHCB_MSR_TERM_REQ, ghcb_msr_terminate, 0, 0 },
};

void ghcb_msr_protocol(struct vcpu *v, uint64_t request)
{
	uint64_t info = request & GHCB_MSR_INFO_MASK;

	counters_exit(v->id, v->current, MAILBOX_EXIT_MSR_PROTOCOL | info);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].info != info || !ghcb_host_has(requests[i].feature))
			continue;
		vcpu_plane(v)->ghcb_msr = requests[i].handler != NULL
						  ? requests[i].handler(v, request)
						  : requests[i].answer;
		return;
	}
	/* The value stays, which no guest takes for an answer. */
	if (ghcb_refusal_is_news(v))
		hv_log("VMPL%u of vCPU %u: MSR protocol knows no request %lx", v->current, v->id,
		       request);
}
