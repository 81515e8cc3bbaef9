/* SPDX-License-Identifier: MIT */
/* Which checks run, in which order, and what follows from them. */
#include "tools/libverify/checks.h"

#include <stdlib.h>

#include "tools/libverify/subject.h"

enum check_when {
	ALWAYS,
	WITH_CRL,
	WITH_BITS, /* that the policy demands of the guest's */
	WITH_SVN,
	WITH_KEYS,	     /* not when only the report is looked at */
	WITH_SELECTOR,	     /* or a context */
	WITH_EK_CERTIFICATE, /* of whatever was looked at */
	WITH_QUOTE,
	WITH_KNOWN_KEYS,
	CHALLENGED,
	NOT_CHALLENGED,	  /* a quote, but by a key of the manifest */
	WITH_VALUES,	  /* of the quoted PCRs */
	WITH_DEMANDS,	  /* or values that PCRs must have */
	WITH_LOG,	  /* of events, and a quote */
	WITH_SECURE_BOOT, /* that the policy demands, or its absence */
	WITH_FILES,	  /* or texts that the policy has for what the system measured */
	WITH_COMMAND_LINES,
	WITH_LIST, /* and the lists of a policy behind it: that one has values */
};

/* In the order of their classes; docs/evidence.md explains each. */
static const struct check {
	const char *name;
	enum check_class class;
	unsigned int when; /* enum check_when */
	const char *(*run)(const struct subject *s);
} checks[] = {
	{ "root", CHECK_CHAIN, ALWAYS, check_root },
	{ "chain", CHECK_CHAIN, ALWAYS, check_chain },
	{ "revocation", CHECK_CHAIN, WITH_CRL, check_revocation },
	{ "vcek", CHECK_CHAIN, ALWAYS, check_vcek },
	{ "signature", CHECK_CHAIN, ALWAYS, check_signature },
	{ "report-format", CHECK_REPORT, ALWAYS, check_format },
	{ "signing-key", CHECK_REPORT, ALWAYS, check_signing_key },
	{ "product", CHECK_REPORT, ALWAYS, check_product },
	{ "chip-id", CHECK_REPORT, ALWAYS, check_chip_id },
	{ "known-chip", CHECK_REPORT, WITH_LIST + POLICY_CHIP_IDS, check_known_chip },
	{ "csp-id", CHECK_REPORT, WITH_LIST + POLICY_CSP_IDS, check_csp_id },
	{ "tcb", CHECK_REPORT, ALWAYS, check_tcb },
	{ "tcb-order", CHECK_REPORT, ALWAYS, check_tcb_order },
	{ "tcb-minimum", CHECK_REPORT, ALWAYS, check_tcb_minimum },
	{ "policy", CHECK_REPORT, ALWAYS, check_policy },
	{ "policy-bits", CHECK_REPORT, WITH_BITS, check_policy_bits },
	{ "guest-svn", CHECK_REPORT, WITH_SVN, check_guest_svn },
	{ "vmpl", CHECK_REPORT, ALWAYS, check_vmpl },
	{ "host-data", CHECK_REPORT, WITH_LIST + POLICY_HOST_DATA, check_host_data },
	{ "measurement", CHECK_MEASUREMENT, WITH_LIST + POLICY_MEASUREMENTS, check_measurement },
	{ "id-key", CHECK_MEASUREMENT, WITH_LIST + POLICY_ID_KEYS, check_id_key },
	{ "author-key", CHECK_MEASUREMENT, WITH_LIST + POLICY_AUTHOR_KEYS, check_author_key },
	{ "family-id", CHECK_MEASUREMENT, WITH_LIST + POLICY_FAMILY_IDS, check_family_id },
	{ "image-id", CHECK_MEASUREMENT, WITH_LIST + POLICY_IMAGE_IDS, check_image_id },
	{ "context", CHECK_BINDING, WITH_SELECTOR, check_context },
	{ "report-data", CHECK_BINDING, WITH_KEYS, check_report_data },
	{ "manifest", CHECK_BINDING, WITH_KEYS, check_manifest },
	{ "known-key", CHECK_BINDING, WITH_KNOWN_KEYS, check_known_key },
	{ "ek", CHECK_BINDING, CHALLENGED, check_ek },
	{ "challenge-ek", CHECK_BINDING, CHALLENGED, check_challenge_ek },
	{ "challenge-ak", CHECK_BINDING, CHALLENGED, check_challenge_ak },
	{ "challenge-answer", CHECK_BINDING, CHALLENGED, check_challenge_answer },
	{ "attested-ak", CHECK_BINDING, NOT_CHALLENGED, check_attested_ak },
	{ "ek-certificate", CHECK_BINDING, WITH_EK_CERTIFICATE, check_ek_certificate },
	{ "ek-certificate-key", CHECK_BINDING, WITH_EK_CERTIFICATE, check_ek_certificate_key },
	{ "quote-signature", CHECK_QUOTE, WITH_QUOTE, check_quote_signature },
	{ "quote-format", CHECK_QUOTE, WITH_QUOTE, check_quote_format },
	{ "quote-signer", CHECK_QUOTE, WITH_QUOTE, check_quote_signer },
	{ "quote-nonce", CHECK_QUOTE, WITH_QUOTE, check_quote_nonce },
	{ "quote-pcrs", CHECK_QUOTE, WITH_VALUES, check_quote_pcrs },
	{ "pcr-values", CHECK_QUOTE, WITH_DEMANDS, check_pcr_values },
	{ "event-log", CHECK_BOOT, WITH_LOG, check_event_log },
	{ "event-log-quote", CHECK_BOOT, WITH_LOG, check_event_log_quote },
	{ "secure-boot", CHECK_BOOT, WITH_SECURE_BOOT, check_secure_boot },
	{ "boot-signers", CHECK_BOOT, WITH_LIST + POLICY_BOOT_SIGNERS, check_boot_signers },
	{ "boot-firmware", CHECK_BOOT, WITH_LIST + POLICY_BOOT_FIRMWARE, check_boot_firmware },
	{ "boot-programs", CHECK_BOOT, WITH_LIST + POLICY_BOOT_PROGRAMS, check_boot_programs },
	{ "boot-files", CHECK_BOOT, WITH_FILES, check_boot_files },
	{ "boot-command-line", CHECK_BOOT, WITH_COMMAND_LINES, check_boot_command_line },
};
_Static_assert(sizeof(checks) / sizeof(checks[0]) <= CHECKS_MAX, "a verdict holds all checks");

static bool wanted(const struct check *check, const struct subject *s)
{
	const struct policy *p = s->policy;
	const struct evidence *e = s->evidence;
	bool keys = p->depth != EVIDENCE_REPORT;
	bool full = p->depth == EVIDENCE_FULL;
	bool values = full && (e->challenged || e->quote_pcrs.size);

	if (check->when >= WITH_LIST + POLICY_BOOT_SIGNERS && !full)
		return false;
	if (check->when >= WITH_LIST)
		return p->lists[check->when - WITH_LIST].count;
	switch (check->when) {
	case WITH_CRL:
		return p->crls;
	case WITH_BITS:
		return p->bits_required || p->bits_forbidden;
	case WITH_SVN:
		return p->minimum_svn;
	case WITH_KNOWN_KEYS:
		return keys && p->lists[POLICY_KEYS].count;
	case WITH_KEYS:
		return keys;
	case WITH_SELECTOR:
		return keys && (e->selector.size || e->context.size);
	case WITH_EK_CERTIFICATE:
		return e->ek_certificate;
	case WITH_QUOTE:
		return full;
	case CHALLENGED:
		return e->challenged;
	case NOT_CHALLENGED:
		return full && !e->challenged;
	case WITH_VALUES:
		return values;
	case WITH_DEMANDS:
		return values || (full && p->pcr_count);
	case WITH_LOG:
		return full && e->event_log.size;
	case WITH_SECURE_BOOT:
		return full && p->secure_boot;
	case WITH_FILES:
		return full &&
		       (p->lists[POLICY_BOOT_FILES].count || p->texts[POLICY_BOOT_WORDS].count ||
			p->texts[POLICY_BOOT_COMMAND_LINES].count);
	case WITH_COMMAND_LINES:
		return full && p->texts[POLICY_BOOT_COMMAND_LINES].count;
	default:
		return true;
	}
}

static void take_apart(struct subject *s)
{
	s->signer_error = amd_chain_signer_info(&s->evidence->chain, &s->signer);
	if (s->policy->depth != EVIDENCE_REPORT)
		subject_take_binding(s);
	if (s->policy->depth != EVIDENCE_FULL)
		return;
	subject_take_quote(s);
	subject_take_boot(s);
}

void checks_free(struct verdict *verdict)
{
	free(verdict->boot);
	verdict->boot = NULL;
	verdict->boot_count = 0;
}

/* What holds when no check has failed; the first is what the trust in the quote rests on. */
static void name_bindings(struct verdict *verdict, const struct subject *s)
{
	if (verdict->first_failure || s->policy->depth == EVIDENCE_REPORT)
		return;
	if (s->policy->depth == EVIDENCE_FULL)
		verdict->bindings[verdict->binding_count++] = s->evidence->challenged
								      ? "challenge"
								      : "attested-ak";
	if (s->evidence->ek_certificate)
		verdict->bindings[verdict->binding_count++] = "ek-certificate";
	if (verdict->binding_count == 0)
		verdict->bindings[verdict->binding_count++] = "manifest";
}

/* Whether nothing failed on which what was booted rests. */
static bool rests_on_quote(const struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->count; i++) {
		if (verdict->results[i].error && verdict->results[i].class < CHECK_BOOT)
			return false;
	}
	return true;
}

void checks_run(const struct evidence *evidence, const struct policy *policy,
		struct verdict *verdict)
{
	struct subject subject = { .evidence = evidence,
				   .policy = policy,
				   .at = policy->at ? policy->at : time(NULL),
				   .boot_errors = verdict->boot_errors };

	*verdict = (struct verdict){ .emulated = amd_chain_is_emulated(&evidence->chain) };
	take_apart(&subject);
	verdict->signer = subject.signer;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct check_result *result = &verdict->results[verdict->count];

		if (!wanted(&checks[i], &subject))
			continue;
		result->name = checks[i].name;
		result->class = checks[i].class;
		result->error = checks[i].run(&subject);
		subject_describe(&subject, result->name, result->found);
		verdict->count++;
		if (result->error && !verdict->first_failure)
			verdict->first_failure = result;
	}
	name_bindings(verdict, &subject);
	if (rests_on_quote(verdict))
		subject_describe_boot(&subject, verdict);
}
