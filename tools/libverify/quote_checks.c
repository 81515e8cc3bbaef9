/* SPDX-License-Identifier: MIT */
/* Checks on the quote: by the key that is trusted, over the nonce, of these PCR values. */
#include <string.h>

#include "abi/tpm.h"
#include "tools/libverify/subject.h"

/* The hash of the AK's signing scheme; where it is not known, the one that AKs have. */
static uint16_t quote_hash(const struct subject *s)
{
	return s->ak.key ? s->ak.public_area.scheme_hash : TPM_ALG_SHA256;
}

static bool signed_by(const struct subject *s, EVP_PKEY *key, uint16_t scheme)
{
	const struct evidence *e = s->evidence;

	return key &&
	       tpm_quote_signature_ok(key, scheme, quote_hash(s), e->quote.data, e->quote.size,
				      e->quote_signature.data, e->quote_signature.size);
}

const char *check_quote_signature(const struct subject *s)
{
	EVP_PKEY *ak = s->ak.key ? tpm_public_key(&s->ak.public_area) : NULL;
	bool ok;

	if (s->ak.key || !s->evidence->challenged)
		ok = signed_by(s, ak, s->ak.public_area.scheme);
	else
		ok = signed_by(s, s->evidence->ak, TPM_ALG_NULL);
	EVP_PKEY_free(ak);
	return ok ? NULL : "the quote's signature is not by the AK";
}

const char *check_quote_format(const struct subject *s)
{
	return s->quote_error;
}

static bool is_primary(const struct subject *s, uint32_t hierarchy, const struct tpm_name *ak)
{
	struct tpm_name name;

	return tpm_public_primary_name(hierarchy, ak, &name) &&
	       tpm_name_equal(&name, &s->quote.signer);
}

/*
 * An attested AK is a primary key of the endorsement hierarchy. That a challenged one is in the TPM
 * of the EK follows from the answer, wherever it is there: below the EK, or itself a primary key.
 */
static bool names_ak(const struct subject *s)
{
	const struct evidence *e = s->evidence;
	struct tpm_name name;

	if (!e->challenged)
		return s->ak.key && is_primary(s, TPM_RH_ENDORSEMENT, &s->ak.name);
	return (tpm_public_qualified_name(&e->challenge_ek, &e->challenge_ak, &name) &&
		tpm_name_equal(&name, &s->quote.signer)) ||
	       is_primary(s, TPM_RH_ENDORSEMENT, &e->challenge_ak) ||
	       is_primary(s, TPM_RH_OWNER, &e->challenge_ak);
}

const char *check_quote_signer(const struct subject *s)
{
	if (s->quote_error)
		return s->quote_error;
	return names_ak(s) ? NULL : "the quote names another signer than the AK";
}

const char *check_quote_nonce(const struct subject *s)
{
	if (s->quote_error)
		return s->quote_error;
	return s->quote.attest.extra_size == SVSM_NONCE_SIZE &&
			       memcmp(s->quote.attest.extra, s->evidence->nonce, SVSM_NONCE_SIZE) ==
				       0
		       ? NULL
		       : "the quote is over another nonce";
}

const char *check_quote_pcrs(const struct subject *s)
{
	if (s->quote_error)
		return s->quote_error;
	if (s->values_error)
		return s->values_error;
	return tpm_quote_values_error(&s->quote, &s->values, quote_hash(s));
}

/* Whether the policy has this value among those for its PCR. */
static bool is_expected(const struct policy *policy, const struct expected_pcr *of,
			const uint8_t *value, size_t size)
{
	for (size_t i = 0; i < policy->pcr_count; i++) {
		const struct expected_pcr *other = &policy->pcrs[i];

		if (other->bank == of->bank && other->pcr == of->pcr && other->size == size &&
		    memcmp(other->value, value, size) == 0)
			return true;
	}
	return false;
}

const char *check_pcr_values(const struct subject *s)
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
		if (!is_expected(s->policy, expected, value, size))
			return "a PCR has another value than the demanded one";
	}
	return NULL;
}
