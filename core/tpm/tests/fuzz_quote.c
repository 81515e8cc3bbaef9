/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as what a TPM or tpm2-tools made: a quote, PCR values, a signature and the public area
 * of a key; and as a quote, its length in two bytes, with PCR values behind it.
 */
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdint.h>
#include <string.h>

#include "core/base/tests/fuzz_hold.h"
#include "core/tpm/host/tpm_credential.h"
#include "core/tpm/host/tpm_public.h"
#include "core/tpm/host/tpm_quote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char message[] = "what nobody signed";

/* Each value is that of one PCR, with the size of its bank. */
static void hold_values(const struct tpm_pcr_values *values)
{
	size_t found = 0, size;

	hold(values->selection.bank_count <= TPM_QUOTE_BANKS_MAX, "banks");
	for (size_t i = 0; i < values->selection.bank_count; i++) {
		uint16_t bank = values->selection.banks[i].algorithm;

		for (unsigned int pcr = 0; pcr < TPM_PCR_COUNT; pcr++) {
			if (!tpm_quote_value(values, bank, pcr, &size))
				continue;
			found++;
			hold(size == wire_digest_size(bank), "a value's size");
		}
	}
	hold(found <= values->count || values->selection.bank_count > 1, "values of no PCR");
}

static void hold_quote(const struct tpm_quote *quote, const uint8_t *data, size_t size)
{
	hold(quote->selection.bank_count <= TPM_QUOTE_BANKS_MAX, "quoted banks");
	hold(quote->signer.size <= TPM_NAME_MAX, "the signer's name");
	hold(quote->pcr_digest >= data && quote->pcr_digest_size <= size &&
		     quote->pcr_digest + quote->pcr_digest_size <= data + size,
	     "the digest is of the quote's bytes");
}

/* Whatever can be read as such: no signature over a message is any bytes. */
static void judge_signature(const uint8_t *data, size_t size)
{
	static const uint16_t schemes[] = { TPM_ALG_NULL, TPM_ALG_RSASSA, TPM_ALG_ECDSA };
	static EVP_PKEY *keys[2];

	if (!keys[0])
		keys[0] = EVP_RSA_gen(2048);
	if (!keys[1])
		keys[1] = EVP_EC_gen("P-256");
	hold(keys[0] && keys[1], "keys");
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		hold(!tpm_quote_signature_ok(keys[i / 2], schemes[i], TPM_ALG_SHA256, message,
					     sizeof(message), data, size),
		     "a signature by nobody");
}

static void judge_key(const struct wire_public *area, const uint8_t *data, size_t size)
{
	static const uint8_t secret[16];
	struct tpm_credential credential;
	uint8_t found[TPM_PUBLIC_AREA_MAX];
	struct tpm_name name, parent, qualified;
	EVP_PKEY *key = tpm_public_key(area);

	if (tpm_public_name(data, size, &name)) {
		hold(name.size <= TPM_NAME_MAX, "a name");
		hold(tpm_public_primary_name(TPM_RH_ENDORSEMENT, &name, &parent) &&
			     tpm_public_qualified_name(&parent, &name, &qualified),
		     "a name without a qualified one");
		if (key && tpm_public_find_ak(key, &name, found))
			hold(memcmp(found, data, size) == 0, "another area with this name");
		if (!tpm_credential_make(area, &name, secret, sizeof(secret), &credential))
			hold(credential.size <= sizeof(credential.data), "a credential's size");
	}
	EVP_PKEY_free(key);
}

static void judge_pair(const uint8_t *data, size_t size)
{
	static struct tpm_pcr_values values;
	size_t length = size >= 2 ? (size_t)data[0] << 8 | data[1] : 0;
	struct tpm_quote quote;

	if (size < 2 || length > size - 2 || tpm_quote_read(&quote, data + 2, length) ||
	    tpm_quote_read_values(&values, data + 2 + length, size - 2 - length))
		return;
	if (!tpm_quote_values_error(&quote, &values, TPM_ALG_SHA256))
		hold(quote.selection.bank_count == values.selection.bank_count,
		     "values of another selection");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tpm_pcr_values values;
	struct tpm_quote quote;
	struct wire_public area;

	if (!tpm_quote_read(&quote, data, size))
		hold_quote(&quote, data, size);
	if (!tpm_quote_read_values(&values, data, size))
		hold_values(&values);
	judge_pair(data, size);
	if (wire_read_public(&area, data, size) == WIRE_OK)
		judge_key(&area, data, size);
	else
		judge_signature(data, size);
	ERR_clear_error();
	return 0;
}
