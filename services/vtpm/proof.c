/* SPDX-License-Identifier: MIT */
#include "services/vtpm/proof.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/tpm/host/tpm_public.h"

#define TPM_GENERATED_VALUE 0xff544347u
#define TPM_ST_ATTEST_CREATION 0x801au
#define CLOCK_INFO_SIZE 17u /* clock, two counters, safe */

bool proof_read(struct proof *proof, const void *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);

	bytes_copy(&r, &proof->header, sizeof(proof->header));
	proof->public_area = bytes_take(&r, proof->header.public_size);
	proof->attest = bytes_take(&r, proof->header.attest_size);
	return bytes_complete(&r);
}

/* What a TPM signs of an attestation is its digest, with an HMAC key too. */
static bool mac_ok(const struct proof *proof, const uint8_t key[ORACLE_PROOF_SIZE])
{
	uint8_t digest[ORACLE_PROOF_SIZE], mac[ORACLE_PROOF_SIZE];

	return EVP_Digest(proof->attest, proof->header.attest_size, digest, NULL, EVP_sha256(),
			  NULL) == 1 &&
	       HMAC(EVP_sha256(), key, ORACLE_PROOF_SIZE, digest, sizeof(digest), mac, NULL) &&
	       CRYPTO_memcmp(mac, proof->header.mac, sizeof(mac)) == 0;
}

static bool take_equal(struct bytes_reader *r, const void *want, size_t size)
{
	size_t has = bytes_be16(r);
	const uint8_t *data = bytes_take(r, has);

	return data && has == size && memcmp(data, want, size) == 0;
}

/* TPMS_ATTEST (part 2, section 10.12.12) with a TPMS_CREATION_INFO. */
static bool attest_ok(const struct proof *proof, const struct tpm_name *name,
		      const uint8_t challenge[ORACLE_PROOF_SIZE])
{
	struct bytes_reader r = bytes_reader_init(proof->attest, proof->header.attest_size);

	if (bytes_be32(&r) != TPM_GENERATED_VALUE || bytes_be16(&r) != TPM_ST_ATTEST_CREATION)
		return false;
	bytes_take(&r, bytes_be16(&r)); /* the signer, which the MAC tells */
	if (!take_equal(&r, challenge, ORACLE_PROOF_SIZE))
		return false;
	bytes_take(&r, CLOCK_INFO_SIZE);
	bytes_be64(&r); /* firmware version */
	if (!take_equal(&r, name->bytes, name->size))
		return false;
	bytes_take(&r, bytes_be16(&r)); /* creationHash */
	return bytes_complete(&r);
}

bool proof_holds(const struct proof *proof, const uint8_t key[ORACLE_PROOF_SIZE],
		 const uint8_t challenge[ORACLE_PROOF_SIZE])
{
	struct tpm_name name;

	return tpm_public_name(proof->public_area, proof->header.public_size, &name) &&
	       mac_ok(proof, key) && attest_ok(proof, &name, challenge);
}
