/* SPDX-License-Identifier: MIT */
#include "tools/verify/checks.h"

#include <openssl/crypto.h>
#include <string.h>

#include "core/host/tpm_quote.h"

/* The L-1 endorsement key of the TCG EK Credential Profile, which manifest version 0 is made of. */
#define EK_ATTRIBUTES 0x000300b2u
#define EK_AES 0x0006u
#define EK_CFB 0x0043u
static const uint8_t ek_policy[32] = {
	0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
	0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
	0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
};

/* What several checks look at, taken apart once. */
struct subject {
	const struct evidence *evidence;
	const struct policy *policy;
	struct amd_vcek_info vcek;
	const char *vcek_error;
	struct tpm_public manifest;
	bool manifest_ok;
	struct tpm_quote quote;
	const char *quote_error;
	struct tpm_pcr_values values;
	const char *values_error;
};

static const char *check_root(const struct subject *s)
{
	return amd_chain_root_error(&s->evidence->chain, s->policy->trust_emulated);
}

static const char *check_chain(const struct subject *s)
{
	return amd_chain_error(&s->evidence->chain);
}

static const char *check_vcek(const struct subject *s)
{
	return s->vcek_error;
}

static const char *check_signature(const struct subject *s)
{
	if (s->evidence->report.signature_algo != PSP_REPORT_SIG_ALGO_ECDSA_P384_SHA384)
		return "unknown signature algorithm";
	return amd_chain_signature_error(&s->evidence->chain, &s->evidence->report);
}

static const char *check_format(const struct subject *s)
{
	return report_format_error(&s->evidence->report);
}

static const char *check_signing_key(const struct subject *s)
{
	return report_signing_key(&s->evidence->report) == REPORT_KEY_VCEK
		       ? NULL
		       : "the report does not name the VCEK as its key";
}

static const char *check_chip_id(const struct subject *s)
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

static const char *check_tcb(const struct subject *s)
{
	struct report_tcb reported = tcb_of(s, s->evidence->report.reported_tcb);

	if (s->vcek_error)
		return s->vcek_error;
	if (!report_tcb_at_least(reported, s->vcek.tcb) ||
	    !report_tcb_at_least(s->vcek.tcb, reported))
		return "the VCEK is for another TCB than the reported one";
	return NULL;
}

static const char *check_tcb_order(const struct subject *s)
{
	const struct psp_report *r = &s->evidence->report;

	if (!report_tcb_at_least(tcb_of(s, r->current_tcb), tcb_of(s, r->committed_tcb)))
		return "the current TCB is below the committed one";
	if (!report_tcb_at_least(tcb_of(s, r->committed_tcb), tcb_of(s, r->reported_tcb)))
		return "the reported TCB is above the committed one";
	return NULL;
}

static const char *check_tcb_minimum(const struct subject *s)
{
	struct report_tcb reported = tcb_of(s, s->evidence->report.reported_tcb);

	return report_tcb_at_least(reported, s->policy->minimum_tcb)
		       ? NULL
		       : "the reported TCB is below the demanded minimum";
}

static const char *check_policy(const struct subject *s)
{
	return report_policy_error(&s->evidence->report);
}

static const char *check_vmpl(const struct subject *s)
{
	return s->evidence->report.vmpl == s->policy->vmpl ? NULL : "the report is of another VMPL";
}

static const char *check_measurement(const struct subject *s)
{
	return memcmp(s->evidence->report.measurement, s->policy->measurement,
		      PSP_MEASUREMENT_SIZE) == 0
		       ? NULL
		       : "the launched image is not the expected one";
}

/* REPORT_DATA = SHA-512(nonce || manifest) (58019, attestation protocol). */
static const char *check_report_data(const struct subject *s)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t digest[PSP_REPORT_DATA_SIZE];
	bool ok = context && EVP_DigestInit_ex(context, EVP_sha512(), NULL) == 1 &&
		  EVP_DigestUpdate(context, s->evidence->nonce, SVSM_NONCE_SIZE) == 1 &&
		  EVP_DigestUpdate(context, s->evidence->manifest.data,
				   s->evidence->manifest.size) == 1 &&
		  EVP_DigestFinal_ex(context, digest, NULL) == 1 &&
		  memcmp(digest, s->evidence->report.report_data, sizeof(digest)) == 0;

	EVP_MD_CTX_free(context);
	return ok ? NULL : "REPORT_DATA is not that of this nonce and manifest";
}

/* The manifest is an L-1 EK: nothing but the modulus is free. */
static const char *check_manifest(const struct subject *s)
{
	const struct tpm_public *p = &s->manifest;

	if (!s->manifest_ok)
		return "it is not a TPMT_PUBLIC";
	if (p->type != TPM_ALG_RSA || p->name_alg != TPM_ALG_SHA256 ||
	    p->attributes != EK_ATTRIBUTES || p->symmetric != EK_AES || p->symmetric_bits != 128 ||
	    p->symmetric_mode != EK_CFB || p->scheme != TPM_ALG_NULL || p->bits != 2048 ||
	    p->exponent != 0 || p->x_size != 256 || p->policy_size != sizeof(ek_policy) ||
	    memcmp(p->policy, ek_policy, sizeof(ek_policy)) != 0)
		return "its key is not an L-1 endorsement key";
	return NULL;
}

static const char *check_ek(const struct subject *s)
{
	EVP_PKEY *key = s->manifest_ok ? tpm_public_key(&s->manifest) : NULL;
	bool same = key && EVP_PKEY_eq(key, s->evidence->ek) == 1;

	EVP_PKEY_free(key);
	return same ? NULL : "the EK is not the manifest's";
}

static const char *check_challenge_ek(const struct subject *s)
{
	struct tpm_name name;

	if (!tpm_public_name(s->evidence->manifest.data, s->evidence->manifest.size, &name))
		return "the manifest's key has no Name";
	return tpm_name_equal(&name, &s->evidence->challenge_ek)
		       ? NULL
		       : "the challenge was made for another EK than the manifest's";
}

/* The AK's Name follows from its public key, for AKs of the one form that is accepted. */
static const char *check_challenge_ak(const struct subject *s)
{
	static const uint16_t schemes[] = { TPM_ALG_RSASSA, TPM_ALG_RSAPSS };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		struct tpm_name name;

		if (tpm_public_ak_name(s->evidence->ak, schemes[i], &name) &&
		    tpm_name_equal(&name, &s->evidence->challenge_ak))
			return NULL;
	}
	return "the AK is not a restricted signing key with the challenge's Name";
}

static const char *check_challenge_answer(const struct subject *s)
{
	const struct evidence *e = s->evidence;

	return e->answer.size == e->secret_size &&
			       CRYPTO_memcmp(e->answer.data, e->secret, e->secret_size) == 0
		       ? NULL
		       : "the answer is not the challenge's secret";
}

static const char *check_quote_signature(const struct subject *s)
{
	const struct evidence *e = s->evidence;

	return tpm_quote_signature_ok(e->ak, e->quote.data, e->quote.size, e->quote_signature.data,
				      e->quote_signature.size)
		       ? NULL
		       : "the quote's signature is not by the AK";
}

static const char *check_quote_format(const struct subject *s)
{
	return s->quote_error;
}

static const char *check_quote_signer(const struct subject *s)
{
	struct tpm_name qualified;

	if (s->quote_error)
		return s->quote_error;
	return tpm_public_qualified_name(&s->evidence->challenge_ek, &s->evidence->challenge_ak,
					 &qualified) &&
			       tpm_name_equal(&qualified, &s->quote.signer)
		       ? NULL
		       : "the quote names another signer than the AK under the EK";
}

static const char *check_quote_nonce(const struct subject *s)
{
	if (s->quote_error)
		return s->quote_error;
	return s->quote.extra_size == SVSM_NONCE_SIZE &&
			       memcmp(s->quote.extra_data, s->evidence->nonce, SVSM_NONCE_SIZE) == 0
		       ? NULL
		       : "the quote is over another nonce";
}

static const char *check_quote_pcrs(const struct subject *s)
{
	if (s->quote_error)
		return s->quote_error;
	if (s->values_error)
		return s->values_error;
	return tpm_quote_values_error(&s->quote, &s->values);
}

static const char *check_pcr_values(const struct subject *s)
{
	if (s->values_error)
		return s->values_error;
	for (size_t i = 0; i < s->policy->pcr_count; i++) {
		const struct expected_pcr *expected = &s->policy->pcrs[i];
		const uint8_t *value;
		size_t size = 0;

		value = tpm_quote_value(&s->values, expected->bank, expected->pcr, &size);
		if (!value)
			return "a PCR with a demanded value was not quoted";
		if (size != expected->size || memcmp(value, expected->value, size) != 0)
			return "a PCR has another value than the demanded one";
	}
	return NULL;
}

enum check_when {
	ALWAYS,
	WITH_MEASUREMENT,
	FULL, /* not when only the report is looked at */
};

/* In the order of their classes; docs/evidence.md explains each. */
static const struct check {
	const char *name;
	enum check_class class;
	enum check_when when;
	const char *(*run)(const struct subject *s);
} checks[] = {
	{ "root", CHECK_CHAIN, ALWAYS, check_root },
	{ "chain", CHECK_CHAIN, ALWAYS, check_chain },
	{ "vcek", CHECK_CHAIN, ALWAYS, check_vcek },
	{ "signature", CHECK_CHAIN, ALWAYS, check_signature },
	{ "report-format", CHECK_REPORT, ALWAYS, check_format },
	{ "signing-key", CHECK_REPORT, ALWAYS, check_signing_key },
	{ "chip-id", CHECK_REPORT, ALWAYS, check_chip_id },
	{ "tcb", CHECK_REPORT, ALWAYS, check_tcb },
	{ "tcb-order", CHECK_REPORT, ALWAYS, check_tcb_order },
	{ "tcb-minimum", CHECK_REPORT, ALWAYS, check_tcb_minimum },
	{ "policy", CHECK_REPORT, ALWAYS, check_policy },
	{ "vmpl", CHECK_REPORT, ALWAYS, check_vmpl },
	{ "measurement", CHECK_MEASUREMENT, WITH_MEASUREMENT, check_measurement },
	{ "report-data", CHECK_BINDING, FULL, check_report_data },
	{ "manifest", CHECK_BINDING, FULL, check_manifest },
	{ "ek", CHECK_BINDING, FULL, check_ek },
	{ "challenge-ek", CHECK_BINDING, FULL, check_challenge_ek },
	{ "challenge-ak", CHECK_BINDING, FULL, check_challenge_ak },
	{ "challenge-answer", CHECK_BINDING, FULL, check_challenge_answer },
	{ "quote-signature", CHECK_QUOTE, FULL, check_quote_signature },
	{ "quote-format", CHECK_QUOTE, FULL, check_quote_format },
	{ "quote-signer", CHECK_QUOTE, FULL, check_quote_signer },
	{ "quote-nonce", CHECK_QUOTE, FULL, check_quote_nonce },
	{ "quote-pcrs", CHECK_QUOTE, FULL, check_quote_pcrs },
	{ "pcr-values", CHECK_QUOTE, FULL, check_pcr_values },
};
_Static_assert(sizeof(checks) / sizeof(checks[0]) <= CHECKS_MAX, "a verdict holds all checks");

static bool wanted(const struct check *check, const struct policy *policy)
{
	switch (check->when) {
	case WITH_MEASUREMENT:
		return policy->has_measurement;
	case FULL:
		return !policy->report_only;
	default:
		return true;
	}
}

static void take_apart(struct subject *s)
{
	const struct evidence *e = s->evidence;

	s->vcek_error = amd_chain_vcek_info(&e->chain, &s->vcek);
	if (s->policy->report_only)
		return;
	s->manifest_ok = tpm_public_read(&s->manifest, e->manifest.data, e->manifest.size);
	s->quote_error = tpm_quote_read(&s->quote, e->quote.data, e->quote.size);
	s->values_error = tpm_quote_read_values(&s->values, e->quote_pcrs.data, e->quote_pcrs.size);
}

void checks_run(const struct evidence *evidence, const struct policy *policy,
		struct verdict *verdict)
{
	static struct subject subject;

	subject = (struct subject){ .evidence = evidence, .policy = policy };
	take_apart(&subject);
	*verdict = (struct verdict){ .emulated = amd_chain_is_emulated(&evidence->chain) };
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct check_result *result = &verdict->results[verdict->count];

		if (!wanted(&checks[i], policy))
			continue;
		result->name = checks[i].name;
		result->class = checks[i].class;
		result->error = checks[i].run(&subject);
		verdict->count++;
		if (result->error && !verdict->first_failure)
			verdict->first_failure = result;
	}
}
