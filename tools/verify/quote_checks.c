/* SPDX-License-Identifier: MIT */
/* Checks on the quote: by the key that is trusted, over the nonce, of these PCR values. */
#include <string.h>

#include "abi/tpm.h"
#include "tools/verify/subject.h"

/* The hash of the signing scheme: of an attested key its own, otherwise the one AKs have. */
static uint16_t quote_hash(const struct subject *s)
{
	return s->evidence->challenged || !s->ak.key ? TPM_ALG_SHA256
						     : s->ak.public_area.scheme_hash;
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
	EVP_PKEY *attested = NULL;
	bool ok;

	if (s->evidence->challenged) {
		ok = signed_by(s, s->evidence->ak, TPM_ALG_NULL);
	} else {
		attested = s->ak.key ? tpm_public_key(&s->ak.public_area) : NULL;
		ok = signed_by(s, attested, s->ak.public_area.scheme);
	}
	EVP_PKEY_free(attested);
	return ok ? NULL : "the quote's signature is not by the AK";
}

const char *check_quote_format(const struct subject *s)
{
	return s->quote_error;
}

static bool qualified_ak(const struct subject *s, struct tpm_name *name)
{
	if (s->evidence->challenged)
		return tpm_public_qualified_name(&s->evidence->challenge_ek,
						 &s->evidence->challenge_ak, name);
	return s->ak.key && tpm_public_primary_name(&s->ak.name, name);
}

/* An AK of a challenge is a child of the EK; an attested one is a primary key as the EK is. */
const char *check_quote_signer(const struct subject *s)
{
	struct tpm_name name;

	if (s->quote_error)
		return s->quote_error;
	return qualified_ak(s, &name) && tpm_name_equal(&name, &s->quote.signer)
		       ? NULL
		       : "the quote names another signer than the AK";
}

const char *check_quote_nonce(const struct subject *s)
{
	if (s->quote_error)
		return s->quote_error;
	return s->quote.extra_size == SVSM_NONCE_SIZE &&
			       memcmp(s->quote.extra_data, s->evidence->nonce, SVSM_NONCE_SIZE) == 0
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
		if (size != expected->size || memcmp(value, expected->value, size) != 0)
			return "a PCR has another value than the demanded one";
	}
	return NULL;
}
