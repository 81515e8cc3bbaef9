/* SPDX-License-Identifier: MIT */
/* Checks on the report and on the certificates above it. */
#include <string.h>

#include "core/evidence/host/amd_crl.h"
#include "tools/libverify/subject.h"

/*
 * AMD's roots are known by their keys, wherever they come from. An emulated one is known by its
 * marks alone, which anybody can write: so it has to come from the relying party, not from the
 * guest.
 */
const char *check_root(const struct subject *s)
{
	const struct amd_chain *chain = &s->evidence->chain;
	const char *error = amd_chain_root_error(chain, s->policy->trust_emulated);

	if (!error && s->evidence->root_from_guest && amd_chain_is_emulated(chain))
		return "the emulated root came with the evidence: it has to be yours (--ark, or "
		       "ark.pem in the folder of --mine)";
	return error;
}

const char *check_chain(const struct subject *s)
{
	const struct evidence *e = s->evidence;

	return e->chain_checked ? amd_chain_dates_error(&e->chain, s->at)
				: amd_chain_error(&e->chain, s->at);
}

const char *check_revocation(const struct subject *s)
{
	return amd_crl_error(&s->evidence->chain, s->policy->crls, s->at);
}

const char *check_vcek(const struct subject *s)
{
	return s->signer_error;
}

const char *check_signature(const struct subject *s)
{
	if (s->evidence->report.signature_algo != PSP_REPORT_SIG_ALGO_ECDSA_P384_SHA384)
		return "unknown signature algorithm";
	return amd_chain_signature_error(&s->evidence->chain, &s->evidence->report);
}

const char *check_format(const struct subject *s)
{
	return report_format_error(&s->evidence->report, s->policy->allow_unknown_version);
}

const char *check_signing_key(const struct subject *s)
{
	const struct psp_report *r = &s->evidence->report;

	if (r->key_info & PSP_KEY_INFO_MASK_CHIP_KEY)
		return "the host masks the chip's key (MASK_CHIP_KEY): nothing is signed";
	return report_signing_key(r) == s->evidence->chain.key
		       ? NULL
		       : "the report names neither a VCEK nor a VLEK as its key";
}

/* Before version 3 a report does not say which CPU it is from. */
const char *check_product(const struct subject *s)
{
	const struct psp_report *r = &s->evidence->report;
	const uint64_t tcbs[] = { r->current_tcb, r->reported_tcb, r->committed_tcb,
				  r->launch_tcb };

	if (s->signer_error)
		return s->signer_error;
	if (r->version >= 3 &&
	    report_product_of_cpu(r->cpuid_family, r->cpuid_model) != s->signer.product)
		return "the report's CPUID is not of the certificate's product";
	for (size_t i = 0; i < sizeof(tcbs) / sizeof(tcbs[0]); i++) {
		if (!report_tcb_whole(tcbs[i], s->signer.product))
			return "a reserved byte of a TCB_VERSION is not zero";
	}
	return NULL;
}

/* The signature proves the chip, whatever the report says: so a masked one can be allowed. */
const char *check_chip_id(const struct subject *s)
{
	static const uint8_t masked[PSP_CHIP_ID_SIZE];
	const uint8_t *chip_id = s->evidence->report.chip_id;

	if (s->signer_error)
		return s->signer_error;
	if (s->evidence->chain.key == REPORT_KEY_VLEK)
		return NULL;
	if (memcmp(chip_id, masked, sizeof(masked)) == 0)
		return s->policy->allow_masked_chip
			       ? NULL
			       : "the host masks the chip: CHIP_ID is zero (--allow-masked-chip "
				 "accepts it)";
	return memcmp(s->signer.hwid, chip_id, PSP_CHIP_ID_SIZE) == 0
		       ? NULL
		       : "the VCEK is of another chip";
}

const struct policy_value *subject_find_value(const struct subject *s, enum policy_list_kind kind,
					      const void *bytes, size_t size)
{
	const struct policy_list *list = &s->policy->lists[kind];

	for (size_t i = 0; i < list->count; i++) {
		if (list->values[i].size == size && memcmp(list->values[i].bytes, bytes, size) == 0)
			return &list->values[i];
	}
	return NULL;
}

const char *check_known_chip(const struct subject *s)
{
	return subject_find_value(s, POLICY_CHIP_IDS, s->evidence->report.chip_id, PSP_CHIP_ID_SIZE)
		       ? NULL
		       : "the report is from another chip than the known ones";
}

const char *check_csp_id(const struct subject *s)
{
	if (s->signer_error)
		return s->signer_error;
	if (s->evidence->chain.key != REPORT_KEY_VLEK)
		return "the report is not by a VLEK: no cloud stands behind its key";
	return subject_find_value(s, POLICY_CSP_IDS, s->signer.csp_id, strlen(s->signer.csp_id))
		       ? NULL
		       : "the VLEK is another cloud's";
}

static struct report_tcb tcb_of(const struct subject *s, uint64_t raw)
{
	return report_tcb(raw, s->signer_error ? REPORT_PRODUCT_UNKNOWN : s->signer.product);
}

const char *check_tcb(const struct subject *s)
{
	struct report_tcb reported = tcb_of(s, s->evidence->report.reported_tcb);

	if (s->signer_error)
		return s->signer_error;
	if (!report_tcb_at_least(reported, s->signer.tcb) ||
	    !report_tcb_at_least(s->signer.tcb, reported))
		return "the certificate is for another TCB than the reported one";
	return NULL;
}

/* Of the firmware: what is committed cannot be gone back behind. */
static bool current_at_least_committed(const struct psp_report *r)
{
	uint32_t current = (uint32_t)r->current_major << 16 | (uint32_t)r->current_minor << 8 |
			   r->current_build;
	uint32_t committed = (uint32_t)r->committed_major << 16 |
			     (uint32_t)r->committed_minor << 8 | r->committed_build;

	return current >= committed;
}

const char *check_tcb_order(const struct subject *s)
{
	const struct psp_report *r = &s->evidence->report;

	if (!report_tcb_at_least(tcb_of(s, r->current_tcb), tcb_of(s, r->committed_tcb)))
		return "the current TCB is below the committed one";
	if (!report_tcb_at_least(tcb_of(s, r->committed_tcb), tcb_of(s, r->reported_tcb)))
		return "the reported TCB is above the committed one";
	if (!report_tcb_at_least(tcb_of(s, r->current_tcb), tcb_of(s, r->launch_tcb)))
		return "the TCB at launch is above the current one";
	if (!current_at_least_committed(r))
		return "the current firmware is older than the committed one";
	return NULL;
}

static const char *minimum_error(const struct subject *s, const struct report_tcb *minimum)
{
	const struct psp_report *r = &s->evidence->report;

	if (!report_tcb_at_least(tcb_of(s, r->reported_tcb), *minimum))
		return "the reported TCB is below the demanded minimum";
	if (!report_tcb_at_least(tcb_of(s, r->committed_tcb), *minimum))
		return "the committed TCB is below the demanded minimum";
	if (!report_tcb_at_least(tcb_of(s, r->launch_tcb), *minimum))
		return "the TCB at launch is below the demanded minimum";
	return NULL;
}

/*
 * What the host could go back to counts as what it runs, and so does what the guest was started
 * under. The current TCB follows from the order.
 */
const char *check_tcb_minimum(const struct subject *s)
{
	const struct policy *p = s->policy;
	const char *error = minimum_error(s, &p->minimum_tcb);

	if (error || !p->by_product)
		return error;
	if (s->signer_error)
		return s->signer_error;
	return p->has_floor[s->signer.product]
		       ? minimum_error(s, &p->floor[s->signer.product])
		       : "the policy has no minimum for a TCB of this product";
}

const char *check_policy(const struct subject *s)
{
	return report_policy_error(&s->evidence->report);
}

const char *check_policy_bits(const struct subject *s)
{
	uint64_t bits = s->evidence->report.policy;

	if (s->policy->bits_required & ~bits)
		return "a required bit of the guest policy is not set";
	return s->policy->bits_forbidden & bits ? "a forbidden bit of the guest policy is set"
						: NULL;
}

const char *check_guest_svn(const struct subject *s)
{
	return s->evidence->report.guest_svn >= s->policy->minimum_svn
		       ? NULL
		       : "the guest's security version is below the demanded minimum";
}

const char *check_vmpl(const struct subject *s)
{
	return s->evidence->report.vmpl == s->policy->vmpl ? NULL : "the report is of another VMPL";
}

const char *check_host_data(const struct subject *s)
{
	const struct psp_report *r = &s->evidence->report;

	return subject_find_value(s, POLICY_HOST_DATA, r->host_data, sizeof(r->host_data))
		       ? NULL
		       : "the host gave other data at launch than the expected";
}

const char *check_measurement(const struct subject *s)
{
	return subject_find_value(s, POLICY_MEASUREMENTS, s->evidence->report.measurement,
				  PSP_MEASUREMENT_SIZE)
		       ? NULL
		       : "the launched image is not the expected one";
}

const char *check_id_key(const struct subject *s)
{
	const struct psp_report *r = &s->evidence->report;

	return subject_find_value(s, POLICY_ID_KEYS, r->id_key_digest, sizeof(r->id_key_digest))
		       ? NULL
		       : "no expected key signed the ID block";
}

/* Without the bit the digest is not of a key that signed anything. */
const char *check_author_key(const struct subject *s)
{
	const struct psp_report *r = &s->evidence->report;

	if (!(r->key_info & PSP_KEY_INFO_AUTHOR_KEY_EN))
		return "the ID key has no author key";
	return subject_find_value(s, POLICY_AUTHOR_KEYS, r->author_key_digest,
				  sizeof(r->author_key_digest))
		       ? NULL
		       : "no expected key signed the ID key";
}

const char *check_family_id(const struct subject *s)
{
	const struct psp_report *r = &s->evidence->report;

	return subject_find_value(s, POLICY_FAMILY_IDS, r->family_id, sizeof(r->family_id))
		       ? NULL
		       : "the image is of another family than the expected";
}

const char *check_image_id(const struct subject *s)
{
	const struct psp_report *r = &s->evidence->report;

	return subject_find_value(s, POLICY_IMAGE_IDS, r->image_id, sizeof(r->image_id))
		       ? NULL
		       : "the image has another id than the expected";
}
