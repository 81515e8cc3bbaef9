/* SPDX-License-Identifier: MIT */
/* Checks on the report and on the certificates above it. */
#include <string.h>

#include "tools/verify/subject.h"

/*
 * AMD's roots are known by their keys, wherever they come from. An emulated one is known by its
 * name alone, which anybody can write: so it has to come from the relying party, not from the
 * guest.
 */
const char *check_root(const struct subject *s)
{
	const struct amd_chain *chain = &s->evidence->chain;
	const char *error = amd_chain_root_error(chain, s->policy->trust_emulated);

	if (!error && s->evidence->root_from_guest && amd_chain_is_emulated(chain))
		return "the emulated root came with the evidence: it has to be yours (--ark)";
	return error;
}

const char *check_chain(const struct subject *s)
{
	return amd_chain_error(&s->evidence->chain);
}

const char *check_vcek(const struct subject *s)
{
	return s->vcek_error;
}

const char *check_signature(const struct subject *s)
{
	if (s->evidence->report.signature_algo != PSP_REPORT_SIG_ALGO_ECDSA_P384_SHA384)
		return "unknown signature algorithm";
	return amd_chain_signature_error(&s->evidence->chain, &s->evidence->report);
}

const char *check_format(const struct subject *s)
{
	return report_format_error(&s->evidence->report);
}

const char *check_signing_key(const struct subject *s)
{
	return report_signing_key(&s->evidence->report) == REPORT_KEY_VCEK
		       ? NULL
		       : "the report does not name the VCEK as its key";
}

const char *check_chip_id(const struct subject *s)
{
	if (s->vcek_error)
		return s->vcek_error;
	return memcmp(s->vcek.hwid, s->evidence->report.chip_id, PSP_CHIP_ID_SIZE) == 0
		       ? NULL
		       : "the VCEK is of another chip";
}

static struct report_tcb tcb_of(const struct subject *s, uint64_t raw)
{
	return report_tcb(raw, s->vcek.layout);
}

const char *check_tcb(const struct subject *s)
{
	struct report_tcb reported = tcb_of(s, s->evidence->report.reported_tcb);

	if (s->vcek_error)
		return s->vcek_error;
	if (!report_tcb_at_least(reported, s->vcek.tcb) ||
	    !report_tcb_at_least(s->vcek.tcb, reported))
		return "the VCEK is for another TCB than the reported one";
	return NULL;
}

const char *check_tcb_order(const struct subject *s)
{
	const struct psp_report *r = &s->evidence->report;

	if (!report_tcb_at_least(tcb_of(s, r->current_tcb), tcb_of(s, r->committed_tcb)))
		return "the current TCB is below the committed one";
	if (!report_tcb_at_least(tcb_of(s, r->committed_tcb), tcb_of(s, r->reported_tcb)))
		return "the reported TCB is above the committed one";
	return NULL;
}

const char *check_tcb_minimum(const struct subject *s)
{
	struct report_tcb reported = tcb_of(s, s->evidence->report.reported_tcb);

	return report_tcb_at_least(reported, s->policy->minimum_tcb)
		       ? NULL
		       : "the reported TCB is below the demanded minimum";
}

const char *check_policy(const struct subject *s)
{
	return report_policy_error(&s->evidence->report);
}

const char *check_vmpl(const struct subject *s)
{
	return s->evidence->report.vmpl == 0 ? NULL : "the report is not of VMPL 0";
}

const char *check_measurement(const struct subject *s)
{
	return memcmp(s->evidence->report.measurement, s->policy->measurement,
		      PSP_MEASUREMENT_SIZE) == 0
		       ? NULL
		       : "the launched image is not the expected one";
}
