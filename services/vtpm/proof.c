/* SPDX-License-Identifier: MIT */
#include "services/vtpm/proof.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <string.h>

#include "core/tpm/host/tpm_public.h"

bool proof_read(struct proof *proof, const void *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);

	bytes_copy(&r, &proof->header, sizeof(proof->header));
	proof->public_area = bytes_take(&r, proof->header.public_size);
	proof->attest = bytes_take(&r, proof->header.attest_size);
	return bytes_complete(&r);
}

/* A TPM signs the digest of an attestation, with an HMAC key too. */
static bool mac_ok(const struct proof *proof, const uint8_t key[TWIN_PROOF_SIZE])
{
	uint8_t digest[TWIN_PROOF_SIZE], mac[TWIN_PROOF_SIZE];

	return EVP_Digest(proof->attest, proof->header.attest_size, digest, NULL, EVP_sha256(),
			  NULL) == 1 &&
	       HMAC(EVP_sha256(), key, TWIN_PROOF_SIZE, digest, sizeof(digest), mac, NULL) &&
	       CRYPTO_memcmp(mac, proof->header.mac, sizeof(mac)) == 0;
}

/* TPMS_ATTEST (part 2, section 10.12.12) with a TPMS_CREATION_INFO. The MAC tells the signer. */
static bool attest_ok(const struct proof *proof, const struct tpm_name *name,
		      const uint8_t challenge[TWIN_PROOF_SIZE])
{
	struct bytes_reader r = bytes_reader_init(proof->attest, proof->header.attest_size);
	struct wire_attest attest;
	const uint8_t *object;
	size_t object_size, hash_size;

	wire_take_attest(&r, &attest);
	object = wire_take_sized(&r, &object_size);
	wire_take_sized(&r, &hash_size); /* creationHash */
	return bytes_complete(&r) && attest.type == TPM_ST_ATTEST_CREATION &&
	       attest.extra_size == TWIN_PROOF_SIZE &&
	       memcmp(attest.extra, challenge, TWIN_PROOF_SIZE) == 0 && object_size == name->size &&
	       memcmp(object, name->bytes, name->size) == 0;
}

bool proof_holds(const struct proof *proof, const uint8_t key[TWIN_PROOF_SIZE],
		 const uint8_t challenge[TWIN_PROOF_SIZE])
{
	struct tpm_name name;

	return tpm_public_name(proof->public_area, proof->header.public_size, &name) &&
	       mac_ok(proof, key) && attest_ok(proof, &name, challenge);
}
