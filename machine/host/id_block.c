/* SPDX-License-Identifier: MIT */
#include "machine/host/id_block.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#define COORDINATE_SIZE 48u
#define POINT_SIZE (1 + 2 * COORDINATE_SIZE)

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
static EVP_PKEY *read_key(const struct psp_public_key *key)
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

	if (key->curve != PSP_CURVE_P384 || !coordinate(point + 1, key->qx) ||
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
static int read_signature(const struct psp_signature *signature, uint8_t **der)
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
static bool signed_by(const struct psp_public_key *key, const struct psp_signature *signature,
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

static bool key_digest(const struct psp_public_key *key, uint8_t digest[48])
{
	return EVP_Digest(key, sizeof(*key), digest, NULL, EVP_sha384(), NULL) == 1;
}

static const char *check_fields(const struct psp_id_block *block, const struct psp_id_auth *auth,
				bool author_key_enabled, const struct psp_launch *launch)
{
	if (memcmp(block->launch_digest, launch->measurement, sizeof(block->launch_digest)) != 0)
		return "BAD_MEASUREMENT: its launch digest is not that of the launch";
	if (block->version != PSP_ID_BLOCK_VERSION)
		return "INVALID_PARAM: its version is not 1";
	if (block->policy != launch->policy)
		return "POLICY_FAILURE: its policy is not that of the launch";
	if (auth->id_key_algo != PSP_KEY_ALGO_ECDSA_P384_SHA384)
		return "INVALID_PARAM: the ID key's algorithm is not ECDSA P-384 with SHA-384";
	if (author_key_enabled && auth->author_key_algo != PSP_KEY_ALGO_ECDSA_P384_SHA384)
		return "INVALID_PARAM: the author key's algorithm is not ECDSA P-384 with SHA-384";
	return NULL;
}

const char *id_block_refusal(const struct psp_id_block *block, const struct psp_id_auth *auth,
			     bool author_key_enabled, struct psp_launch *launch)
{
	const char *refusal = check_fields(block, auth, author_key_enabled, launch);
	struct psp_launch result = *launch;

	if (refusal)
		return refusal;
	if (!signed_by(&auth->id_key, &auth->id_block_signature, block, sizeof(*block)))
		return "BAD_SIGNATURE: the ID key did not sign it with the launch's policy";
	if (author_key_enabled && !signed_by(&auth->author_key, &auth->id_key_signature,
					     &auth->id_key, sizeof(auth->id_key)))
		return "BAD_SIGNATURE: the author key did not sign the ID key";
	result.guest_svn = block->guest_svn;
	result.author_key_enabled = author_key_enabled;
	memcpy(result.family_id, block->family_id, sizeof(result.family_id));
	memcpy(result.image_id, block->image_id, sizeof(result.image_id));
	if (!key_digest(&auth->id_key, result.id_key_digest) ||
	    (author_key_enabled && !key_digest(&auth->author_key, result.author_key_digest)))
		return "SHA-384 is not available";
	*launch = result;
	return NULL;
}

static void copy_key(struct psp_public_key *to, const struct igvm_public_key *from)
{
	to->curve = from->curve;
	memcpy(to->qx, from->qx, sizeof(to->qx));
	memcpy(to->qy, from->qy, sizeof(to->qy));
}

static void copy_signature(struct psp_signature *to, const struct igvm_signature *from)
{
	memcpy(to->r, from->r, sizeof(to->r));
	memcpy(to->s, from->s, sizeof(to->s));
}

const char *id_block_igvm_refusal(const struct igvm_snp_id_block *file, struct psp_launch *launch)
{
	struct psp_id_block block = { .version = file->version,
				      .guest_svn = file->guest_svn,
				      .policy = launch->policy };
	struct psp_id_auth auth = { .id_key_algo = file->id_key_algorithm,
				    .author_key_algo = file->author_key_algorithm };

	memcpy(block.launch_digest, file->launch_digest, sizeof(block.launch_digest));
	memcpy(block.family_id, file->family_id, sizeof(block.family_id));
	memcpy(block.image_id, file->image_id, sizeof(block.image_id));
	copy_key(&auth.id_key, &file->id_key);
	copy_signature(&auth.id_block_signature, &file->id_key_signature);
	copy_key(&auth.author_key, &file->author_key);
	copy_signature(&auth.id_key_signature, &file->author_key_signature);
	return id_block_refusal(&block, &auth, file->author_key_enabled != 0, launch);
}
