/* SPDX-License-Identifier: MIT */
#include "core/tpm/host/tpm_quote.h"

#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <string.h>

/* tpm2-tools writes its in-memory structures: fixed arrays, little-endian. */
#define FILE_SELECTIONS 16u
#define FILE_SELECTION_SIZE 8u /* u16 algorithm, u8 size, 4 bytes, padding */
#define FILE_DIGESTS 8u
#define FILE_DIGEST_SIZE 64u

static bool add_bank(struct tpm_pcr_selection *selection, uint16_t algorithm, const uint8_t *bitmap,
		     size_t size)
{
	uint32_t mask = 0;

	if (selection->bank_count == TPM_QUOTE_BANKS_MAX || size > TPM_PCR_COUNT / 8)
		return false;
	for (size_t i = 0; i < size; i++)
		mask |= (uint32_t)bitmap[i] << (8 * i);
	selection->banks[selection->bank_count].algorithm = algorithm;
	selection->banks[selection->bank_count++].mask = mask;
	return true;
}

static bool read_selection(struct bytes_reader *r, struct tpm_pcr_selection *selection)
{
	uint32_t count = bytes_be32(r);

	for (uint32_t i = 0; i < count; i++) {
		uint16_t algorithm = bytes_be16(r);
		size_t size = bytes_u8(r);
		const uint8_t *bitmap = bytes_take(r, size);

		if (!bitmap || !add_bank(selection, algorithm, bitmap, size))
			return false;
	}
	return true;
}

const char *tpm_quote_read(struct tpm_quote *quote, const void *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);

	*quote = (struct tpm_quote){ 0 };
	wire_take_attest(&r, &quote->attest);
	if (quote->attest.type == 0)
		return "it was not made by a TPM";
	if (quote->attest.type != TPM_ST_ATTEST_QUOTE)
		return "it is not a quote";
	if (quote->attest.signer_size > TPM_NAME_MAX)
		return "the signer's name is too long";
	if (r.bad)
		return "it is malformed";
	memcpy(quote->signer.bytes, quote->attest.signer, quote->attest.signer_size);
	quote->signer.size = quote->attest.signer_size;
	if (!read_selection(&r, &quote->selection))
		return "its PCR selection is malformed";
	quote->pcr_digest = wire_take_sized(&r, &quote->pcr_digest_size);
	return bytes_complete(&r) ? NULL : "it is malformed";
}

static bool read_file_selection(struct bytes_reader *r, struct tpm_pcr_selection *selection)
{
	uint32_t count = bytes_le32(r);

	for (uint32_t i = 0; i < FILE_SELECTIONS; i++) {
		uint16_t algorithm = bytes_le16(r);
		size_t size = bytes_u8(r);
		const uint8_t *bitmap = bytes_take(r, FILE_SELECTION_SIZE - 3);

		if (i < count && (!bitmap || !add_bank(selection, algorithm, bitmap, size)))
			return false;
	}
	return count <= FILE_SELECTIONS;
}

/* One TPML_DIGEST. */
static bool read_file_digests(struct bytes_reader *r, struct tpm_pcr_values *values)
{
	uint32_t count = bytes_le32(r);

	for (uint32_t i = 0; i < FILE_DIGESTS; i++) {
		uint16_t size = bytes_le16(r);
		const uint8_t *digest = bytes_take(r, FILE_DIGEST_SIZE);

		if (i >= count)
			continue;
		if (!digest || size > FILE_DIGEST_SIZE ||
		    values->count == sizeof(values->sizes) / sizeof(values->sizes[0]))
			return false;
		memcpy(values->digests[values->count], digest, size);
		values->sizes[values->count++] = (uint8_t)size;
	}
	return count <= FILE_DIGESTS;
}

static size_t selected_count(const struct tpm_pcr_selection *selection)
{
	size_t count = 0;

	for (size_t i = 0; i < selection->bank_count; i++)
		count += (size_t)__builtin_popcount(selection->banks[i].mask);
	return count;
}

/*
 * The quote covers the values one after the other, without their sizes: split at other places they
 * would have the same digest, and give a PCR the value of another.
 */
static bool sizes_fit_banks(const struct tpm_pcr_values *values)
{
	size_t index = 0;

	for (size_t i = 0; i < values->selection.bank_count; i++) {
		size_t size = wire_digest_size(values->selection.banks[i].algorithm);

		for (uint32_t left = values->selection.banks[i].mask; left; left &= left - 1) {
			if (size == 0 || values->sizes[index++] != size)
				return false;
		}
	}
	return true;
}

const char *tpm_quote_read_values(struct tpm_pcr_values *values, const void *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);
	uint32_t lists;

	*values = (struct tpm_pcr_values){ 0 };
	if (!read_file_selection(&r, &values->selection))
		return "the PCR selection is malformed";
	lists = bytes_le32(&r);
	for (uint32_t i = 0; i < lists; i++) {
		if (!read_file_digests(&r, values) || r.bad)
			return "the PCR values are malformed";
	}
	if (!bytes_complete(&r) || values->count != selected_count(&values->selection))
		return "there are not as many PCR values as selected PCRs";
	if (!sizes_fit_banks(values))
		return "a PCR value does not have the size of its bank's digests";
	return NULL;
}

static bool same_selection(const struct tpm_pcr_selection *a, const struct tpm_pcr_selection *b)
{
	if (a->bank_count != b->bank_count)
		return false;
	for (size_t i = 0; i < a->bank_count; i++) {
		if (a->banks[i].algorithm != b->banks[i].algorithm ||
		    a->banks[i].mask != b->banks[i].mask)
			return false;
	}
	return true;
}

const char *tpm_quote_values_error(const struct tpm_quote *quote,
				   const struct tpm_pcr_values *values, uint16_t hash)
{
	const EVP_MD *md = tpm_digest(hash);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int digest_size = 0;
	EVP_MD_CTX *context;
	bool ok;

	if (!same_selection(&quote->selection, &values->selection))
		return "the quote selects other PCRs";
	context = EVP_MD_CTX_new();
	ok = md && context && EVP_DigestInit_ex(context, md, NULL) == 1;
	for (size_t i = 0; ok && i < values->count; i++)
		ok = EVP_DigestUpdate(context, values->digests[i], values->sizes[i]) == 1;
	ok = ok && EVP_DigestFinal_ex(context, digest, &digest_size) == 1 &&
	     quote->pcr_digest_size == digest_size &&
	     memcmp(quote->pcr_digest, digest, digest_size) == 0;
	EVP_MD_CTX_free(context);
	return ok ? NULL : "the PCR values are not those that were quoted";
}

const uint8_t *tpm_quote_value(const struct tpm_pcr_values *values, uint16_t bank, unsigned int pcr,
			       size_t *size)
{
	size_t index = 0;

	for (size_t i = 0; i < values->selection.bank_count; i++) {
		uint32_t mask = values->selection.banks[i].mask;

		if (values->selection.banks[i].algorithm != bank || !(mask >> pcr & 1)) {
			index += (size_t)__builtin_popcount(mask);
			continue;
		}
		index += (size_t)__builtin_popcount(mask & ((1u << pcr) - 1));
		*size = values->sizes[index];
		return values->digests[index];
	}
	return NULL;
}

/* What a signature is, and its bytes in OpenSSL's form. */
struct plain_signature {
	uint16_t scheme, hash; /* TPM_ALG_NULL where the form does not say */
	const uint8_t *data;
	size_t size;
	unsigned char *der; /* to be freed */
};

/* r and s of ECDSA, as DER. */
static void make_der(struct plain_signature *plain, const uint8_t *r, size_t r_size,
		     const uint8_t *s, size_t s_size)
{
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *first = BN_bin2bn(r, (int)r_size, NULL), *second = BN_bin2bn(s, (int)s_size, NULL);
	int size = -1;

	if (pair && first && second && ECDSA_SIG_set0(pair, first, second) == 1) {
		size = i2d_ECDSA_SIG(pair, &plain->der);
	} else {
		BN_free(first);
		BN_free(second);
	}
	ECDSA_SIG_free(pair);
	plain->data = plain->der;
	plain->size = size > 0 ? (size_t)size : 0;
}

/* A TPMT_SIGNATURE; false when the bytes are none. */
static bool read_tpm_signature(struct plain_signature *plain, const void *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);
	size_t first_size, second_size = 0;
	const uint8_t *first, *second = NULL;

	plain->scheme = bytes_be16(&r);
	plain->hash = bytes_be16(&r);
	first = wire_take_sized(&r, &first_size);
	if (plain->scheme == TPM_ALG_ECDSA)
		second = wire_take_sized(&r, &second_size);
	else if (plain->scheme != TPM_ALG_RSASSA && plain->scheme != TPM_ALG_RSAPSS)
		return false;
	if (!bytes_complete(&r))
		return false;
	plain->data = first;
	plain->size = first_size;
	if (second)
		make_der(plain, first, first_size, second, second_size);
	return true;
}

static bool verify(EVP_PKEY *key, bool pss, uint16_t hash, const void *message, size_t size,
		   const struct plain_signature *signature)
{
	const EVP_MD *md = tpm_digest(hash);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *parameters;
	bool ok = md && context && EVP_DigestVerifyInit(context, &parameters, md, NULL, key) == 1;

	if (ok && pss)
		ok = EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1;
	ok = ok && EVP_DigestVerify(context, signature->data, signature->size, message, size) == 1;
	EVP_MD_CTX_free(context);
	return ok;
}

static bool allows(uint16_t wanted, uint16_t scheme)
{
	return wanted == TPM_ALG_NULL || wanted == scheme;
}

/* Tries the schemes of the key's kind that both the caller and the signature allow. */
static bool verify_schemes(EVP_PKEY *key, uint16_t scheme, uint16_t hash, const void *message,
			   size_t size, const struct plain_signature *signature)
{
	static const uint16_t rsa[] = { TPM_ALG_RSASSA, TPM_ALG_RSAPSS };

	if (!allows(signature->hash, hash))
		return false;
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
		return allows(scheme, TPM_ALG_ECDSA) && allows(signature->scheme, TPM_ALG_ECDSA) &&
		       verify(key, false, hash, message, size, signature);
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
		return false;
	for (size_t i = 0; i < sizeof(rsa) / sizeof(rsa[0]); i++) {
		if (allows(scheme, rsa[i]) && allows(signature->scheme, rsa[i]) &&
		    verify(key, rsa[i] == TPM_ALG_RSAPSS, hash, message, size, signature))
			return true;
	}
	return false;
}

bool tpm_quote_signature_ok(EVP_PKEY *key, uint16_t scheme, uint16_t hash, const void *message,
			    size_t size, const void *signature, size_t signature_size)
{
	struct plain_signature plain = { .der = NULL };
	bool ok;

	if (!read_tpm_signature(&plain, signature, signature_size))
		plain = (struct plain_signature){ TPM_ALG_NULL, TPM_ALG_NULL, signature,
						  signature_size, NULL };
	ok = verify_schemes(key, scheme, hash, message, size, &plain);
	OPENSSL_free(plain.der);
	return ok;
}
