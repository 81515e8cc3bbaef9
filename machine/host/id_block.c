/* SPDX-License-Identifier: MIT */
#include "machine/host/id_block.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#define VERSION 1u
#define ALGORITHM_ECDSA_P384_SHA384 1u
#define CURVE_P384 2u
#define COORDINATE_SIZE 48u
#define POINT_SIZE (1 + 2 * COORDINATE_SIZE)

/* What the ID key signs. */
struct id_block {
	uint8_t launch_digest[48];
	uint8_t family_id[16], image_id[16];
	uint32_t version;
	uint32_t guest_svn;
	uint64_t policy;
};
ABI_SIZE(struct id_block, 0x60);

/* What the author key signs, and what digests of keys are over. */
struct public_key {
	uint32_t curve;
	uint8_t qx[72], qy[72];
	uint8_t reserved_094[0x404 - 0x94];
} __attribute__((packed));
ABI_SIZE(struct public_key, 0x404);

static struct public_key key_structure(const struct igvm_public_key *key)
{
	struct public_key structure = { .curve = key->curve };

	memcpy(structure.qx, key->qx, sizeof(structure.qx));
	memcpy(structure.qy, key->qy, sizeof(structure.qy));
	return structure;
}

/* A little-endian number of 72 bytes as a coordinate, big-endian; false when it is too large. */
static bool coordinate(uint8_t to[COORDINATE_SIZE], const uint8_t from[72])
{
	for (unsigned int i = 0; i < COORDINATE_SIZE; i++)
		to[i] = from[COORDINATE_SIZE - 1 - i];
	for (unsigned int i = COORDINATE_SIZE; i < 72; i++) {
		if (from[i] != 0)
			return false;
	}
	return true;
}

/* NULL when it is no point of the curve. */
static EVP_PKEY *read_key(const struct igvm_public_key *key)
{
	uint8_t point[POINT_SIZE] = { POINT_CONVERSION_UNCOMPRESSED };
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char[]){ "P-384" },
						 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *context;
	EVP_PKEY *result = NULL;

	if (key->curve != CURVE_P384 || !coordinate(point + 1, key->qx) ||
	    !coordinate(point + 1 + COORDINATE_SIZE, key->qy))
		return NULL;
	context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &result, EVP_PKEY_PUBLIC_KEY, params) != 1)
		result = NULL;
	EVP_PKEY_CTX_free(context);
	return result;
}

/* As DER, which the caller frees; its size, 0 when there is none. */
static int read_signature(const struct igvm_signature *signature, uint8_t **der)
{
	BIGNUM *r = BN_lebin2bn(signature->r, sizeof(signature->r), NULL);
	BIGNUM *s = BN_lebin2bn(signature->s, sizeof(signature->s), NULL);
	ECDSA_SIG *pair = ECDSA_SIG_new();
	int size = 0;

	if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
		size = i2d_ECDSA_SIG(pair, der);
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(pair);
	return size > 0 ? size : 0;
}

/* ECDSA P-384 with SHA-384 by key over size bytes of data. */
static bool signed_by(const struct igvm_public_key *key, const struct igvm_signature *signature,
		      const void *data, size_t size)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY *pkey = read_key(key);
	uint8_t *der = NULL;
	int der_size = read_signature(signature, &der);
	bool ok = context && pkey && der_size > 0 &&
		  EVP_DigestVerifyInit(context, NULL, EVP_sha384(), NULL, pkey) == 1 &&
		  EVP_DigestVerify(context, der, (size_t)der_size, data, size) == 1;

	OPENSSL_free(der);
	EVP_PKEY_free(pkey);
	EVP_MD_CTX_free(context);
	return ok;
}

static bool key_digest(const struct public_key *key, uint8_t digest[48])
{
	return EVP_Digest(key, sizeof(*key), digest, NULL, EVP_sha384(), NULL) == 1;
}

static const char *check_fields(const struct igvm_snp_id_block *block,
				const struct psp_launch *launch)
{
	if (memcmp(block->launch_digest, launch->measurement, sizeof(block->launch_digest)) != 0)
		return "BAD_MEASUREMENT: its launch digest is not that of the launch";
	if (block->version != VERSION)
		return "INVALID_PARAM: its version is not 1";
	if (block->id_key_algorithm != ALGORITHM_ECDSA_P384_SHA384)
		return "INVALID_PARAM: the ID key's algorithm is not ECDSA P-384 with SHA-384";
	if (block->author_key_enabled && block->author_key_algorithm != ALGORITHM_ECDSA_P384_SHA384)
		return "INVALID_PARAM: the author key's algorithm is not ECDSA P-384 with SHA-384";
	return NULL;
}

const char *id_block_refusal(const struct igvm_snp_id_block *block, struct psp_launch *launch)
{
	const struct public_key id_key = key_structure(&block->id_key);
	const struct public_key author_key = key_structure(&block->author_key);
	const char *refusal = check_fields(block, launch);
	struct psp_launch result = *launch;
	struct id_block signed_part = { .version = block->version,
					.guest_svn = block->guest_svn,
					.policy = launch->policy };

	memcpy(signed_part.launch_digest, block->launch_digest, sizeof(signed_part.launch_digest));
	memcpy(signed_part.family_id, block->family_id, sizeof(signed_part.family_id));
	memcpy(signed_part.image_id, block->image_id, sizeof(signed_part.image_id));
	if (refusal)
		return refusal;
	if (!signed_by(&block->id_key, &block->id_key_signature, &signed_part, sizeof(signed_part)))
		return "BAD_SIGNATURE: the ID key did not sign it with the file's policy";
	if (block->author_key_enabled &&
	    !signed_by(&block->author_key, &block->author_key_signature, &id_key, sizeof(id_key)))
		return "BAD_SIGNATURE: the author key did not sign the ID key";
	result.guest_svn = block->guest_svn;
	result.author_key_enabled = block->author_key_enabled;
	memcpy(result.family_id, block->family_id, sizeof(result.family_id));
	memcpy(result.image_id, block->image_id, sizeof(result.image_id));
	if (!key_digest(&id_key, result.id_key_digest) ||
	    (block->author_key_enabled && !key_digest(&author_key, result.author_key_digest)))
		return "SHA-384 is not available";
	*launch = result;
	return NULL;
}
