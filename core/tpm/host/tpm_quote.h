/* SPDX-License-Identifier: MIT */
/*
 * Quotes: TPMS_ATTEST (TPM 2.0 Library part 2, section 10.12) and tpm2-tools' file of PCR values.
 */
#ifndef SOCLE_CORE_TPM_HOST_TPM_QUOTE_H
#define SOCLE_CORE_TPM_HOST_TPM_QUOTE_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tpm/host/tpm_public.h"

#define TPM_QUOTE_BANKS_MAX 4u

struct tpm_pcr_selection {
	struct {
		uint16_t algorithm;
		uint32_t mask; /* bit n: PCR n */
	} banks[TPM_QUOTE_BANKS_MAX];
	size_t bank_count;
};

struct tpm_quote {
	struct wire_attest attest;
	struct tpm_name signer; /* qualified name */
	struct tpm_pcr_selection selection;
	const uint8_t *pcr_digest;
	size_t pcr_digest_size;
};

struct tpm_pcr_values {
	struct tpm_pcr_selection selection;
	uint8_t digests[TPM_QUOTE_BANKS_MAX * TPM_PCR_COUNT][64];
	uint8_t sizes[TPM_QUOTE_BANKS_MAX * TPM_PCR_COUNT];
	size_t count; /* in the order of the selection */
};

/* Takes apart a TPMS_ATTEST that a TPM made and that is a quote; NULL, or what is wrong. */
const char *tpm_quote_read(struct tpm_quote *quote, const void *data, size_t size);

/* Takes apart what `tpm2_quote -o` writes (its "serialized" format); NULL, or what is wrong. */
const char *tpm_quote_read_values(struct tpm_pcr_values *values, const void *data, size_t size);

/*
 * The values are of the quoted selection and have the quoted digest, which is made with the hash
 * of the signing scheme; NULL, or what is wrong.
 */
const char *tpm_quote_values_error(const struct tpm_quote *quote,
				   const struct tpm_pcr_values *values, uint16_t hash);

/* The value of one PCR in one bank, or NULL when it was not quoted. */
const uint8_t *tpm_quote_value(const struct tpm_pcr_values *values, uint16_t bank, unsigned int pcr,
			       size_t *size);

/*
 * The signature by key over the message, with this hash: RSASSA, RSAPSS or ECDSA, scheme being
 * TPM_ALG_NULL where any of them will do. The signature is a TPMT_SIGNATURE, or OpenSSL's form (a
 * bare number for RSA, DER for ECDSA), as `tpm2_quote -f` writes them.
 */
bool tpm_quote_signature_ok(EVP_PKEY *key, uint16_t scheme, uint16_t hash, const void *message,
			    size_t size, const void *signature, size_t signature_size);

#endif
