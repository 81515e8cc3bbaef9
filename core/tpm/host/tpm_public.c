/* SPDX-License-Identifier: MIT */
#include "core/tpm/host/tpm_public.h"

#include <openssl/core_names.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <string.h>

const EVP_MD *tpm_digest(uint16_t algorithm)
{
	switch (algorithm) {
	case TPM_ALG_SHA256:
		return EVP_sha256();
	case TPM_ALG_SHA384:
		return EVP_sha384();
	case TPM_ALG_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

/* algorithm || digest of the parts */
static bool make_name(uint16_t algorithm, const void *first, size_t first_size, const void *second,
		      size_t second_size, struct tpm_name *name)
{
	const EVP_MD *md = tpm_digest(algorithm);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned int size = 0;
	bool ok = md && context && EVP_DigestInit_ex(context, md, NULL) == 1 &&
		  EVP_DigestUpdate(context, first, first_size) == 1 &&
		  EVP_DigestUpdate(context, second, second_size) == 1 &&
		  EVP_DigestFinal_ex(context, name->bytes + 2, &size) == 1;

	EVP_MD_CTX_free(context);
	name->bytes[0] = (uint8_t)(algorithm >> 8);
	name->bytes[1] = (uint8_t)algorithm;
	name->size = 2 + size;
	return ok;
}

bool tpm_public_name(const void *data, size_t size, struct tpm_name *name)
{
	struct bytes_reader r = bytes_reader_init(data, size);

	bytes_be16(&r); /* type */
	return make_name(bytes_be16(&r), data, size, "", 0, name);
}

bool tpm_name_equal(const struct tpm_name *a, const struct tpm_name *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static uint16_t name_algorithm(const struct tpm_name *name)
{
	return name->size < 2 ? 0 : (uint16_t)(name->bytes[0] << 8 | name->bytes[1]);
}

bool tpm_public_primary_name(uint32_t hierarchy, const struct tpm_name *key,
			     struct tpm_name *qualified)
{
	/* The qualified name of a hierarchy is its handle. */
	uint8_t handle[sizeof(hierarchy)];
	struct bytes_writer w = bytes_writer_init(handle, sizeof(handle));

	bytes_put_be32(&w, hierarchy);
	return make_name(name_algorithm(key), handle, sizeof(handle), key->bytes, key->size,
			 qualified);
}

bool tpm_public_qualified_name(const struct tpm_name *parent, const struct tpm_name *key,
			       struct tpm_name *qualified)
{
	struct tpm_name above;

	return tpm_public_primary_name(TPM_RH_ENDORSEMENT, parent, &above) &&
	       make_name(name_algorithm(key), above.bytes, above.size, key->bytes, key->size,
			 qualified);
}

static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *build)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY *key = NULL;

	if (!context || !params || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(context);
	return key;
}

static EVP_PKEY *rsa_key(const struct wire_public *p)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_bin2bn(p->x, (int)p->x_size, NULL), *e = BN_new();
	EVP_PKEY *key = NULL;

	if (build && n && e && BN_set_word(e, p->exponent ? p->exponent : 65537) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		key = key_from("RSA", build);
	BN_free(n);
	BN_free(e);
	OSSL_PARAM_BLD_free(build);
	return key;
}

#define COORDINATE_MAX 66u

const char *tpm_curve_name(uint16_t curve)
{
	switch (curve) {
	case TPM_ECC_P256:
		return "prime256v1";
	case TPM_ECC_P384:
		return "secp384r1";
	case TPM_ECC_P521:
		return "secp521r1";
	default:
		return NULL;
	}
}

static EVP_PKEY *ecc_key(const struct wire_public *p)
{
	size_t size = wire_curve_size(p->curve);
	const char *group = tpm_curve_name(p->curve);
	uint8_t point[1 + 2 * COORDINATE_MAX] = { 0x04 };
	OSSL_PARAM_BLD *build;
	EVP_PKEY *key = NULL;

	if (!group || p->x_size > size || p->y_size > size)
		return NULL;
	memcpy(point + 1 + size - p->x_size, p->x, p->x_size);
	memcpy(point + 1 + 2 * size - p->y_size, p->y, p->y_size);
	build = OSSL_PARAM_BLD_new();
	if (build &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size) ==
		    1)
		key = key_from("EC", build);
	OSSL_PARAM_BLD_free(build);
	return key;
}

EVP_PKEY *tpm_public_key(const struct wire_public *public_area)
{
	return public_area->type == TPM_ALG_RSA ? rsa_key(public_area) : ecc_key(public_area);
}

/* A big number as TPM2B, padded to size. */
static bool put_number(struct bytes_writer *w, const EVP_PKEY *key, const char *param, int size)
{
	BIGNUM *number = NULL;
	bool ok = EVP_PKEY_get_bn_param(key, param, &number) == 1;
	uint8_t *at;

	bytes_put_be16(w, (uint16_t)size);
	at = bytes_put_zeros(w, (size_t)size);
	ok = ok && at && BN_bn2binpad(number, at, size) == size;
	BN_free(number);
	return ok;
}

/* What may vary in the public area of a signing key that has no policy. */
struct ak_form {
	uint16_t name_alg, scheme, hash;
	uint32_t attributes, exponent;
};

#define AK_FORMS_ECC (16u * 3u)
#define AK_FORMS_RSA (AK_FORMS_ECC * 4u)

static struct ak_form ak_form_of(unsigned int number, uint16_t name_alg, bool rsa)
{
	static const uint32_t may_be_set[] = { TPMA_OBJECT_ST_CLEAR, TPMA_OBJECT_USER_WITH_AUTH,
					       TPMA_OBJECT_ADMIN_WITH_POLICY, TPMA_OBJECT_NO_DA };
	static const uint16_t hashes[] = { TPM_ALG_SHA256, TPM_ALG_SHA384, TPM_ALG_SHA512 };
	unsigned int rest = number / AK_FORMS_ECC;
	struct ak_form form = {
		.name_alg = name_alg,
		.scheme = TPM_ALG_ECDSA,
		.hash = hashes[number / 16 % 3],
		.attributes = TPMA_OBJECT_FIXED_TPM | TPMA_OBJECT_FIXED_PARENT |
			      TPMA_OBJECT_SENSITIVE_DATA_ORIGIN | TPMA_OBJECT_RESTRICTED |
			      TPMA_OBJECT_SIGN,
	};

	for (unsigned int i = 0; i < sizeof(may_be_set) / sizeof(may_be_set[0]); i++) {
		if (number >> i & 1)
			form.attributes |= may_be_set[i];
	}
	if (rsa) {
		form.scheme = rest & 1 ? TPM_ALG_RSAPSS : TPM_ALG_RSASSA;
		form.exponent = rest & 2 ? 65537 : 0;
	}
	return form;
}

static bool put_rsa(struct bytes_writer *w, const EVP_PKEY *key, uint32_t exponent)
{
	int bits = EVP_PKEY_get_bits(key);
	BIGNUM *e = NULL;
	bool ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
		  BN_is_word(e, 65537) && (bits == 2048 || bits == 3072 || bits == 4096);

	BN_free(e);
	if (!ok)
		return false;
	bytes_put_be16(w, (uint16_t)bits);
	bytes_put_be32(w, exponent);
	return put_number(w, key, OSSL_PKEY_PARAM_RSA_N, bits / 8);
}

static bool put_ecc(struct bytes_writer *w, const EVP_PKEY *key)
{
	static const uint16_t curves[] = { TPM_ECC_P256, TPM_ECC_P384, TPM_ECC_P521 };
	char group[32];
	size_t length;
	int size;

	if (EVP_PKEY_get_group_name(key, group, sizeof(group), &length) != 1)
		return false;
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		const char *name = tpm_curve_name(curves[i]);

		if (!name || strcmp(group, name) != 0)
			continue;
		size = (int)wire_curve_size(curves[i]);
		bytes_put_be16(w, curves[i]);
		bytes_put_be16(w, TPM_ALG_NULL); /* key derivation */
		return put_number(w, key, OSSL_PKEY_PARAM_EC_PUB_X, size) &&
		       put_number(w, key, OSSL_PKEY_PARAM_EC_PUB_Y, size);
	}
	return false;
}

static bool put_ak(struct bytes_writer *w, const EVP_PKEY *key, bool rsa,
		   const struct ak_form *form)
{
	w->size = 0;
	bytes_put_be16(w, rsa ? TPM_ALG_RSA : TPM_ALG_ECC);
	bytes_put_be16(w, form->name_alg);
	bytes_put_be32(w, form->attributes);
	bytes_put_be16(w, 0);		 /* authPolicy */
	bytes_put_be16(w, TPM_ALG_NULL); /* symmetric */
	bytes_put_be16(w, form->scheme);
	bytes_put_be16(w, form->hash);
	return rsa ? put_rsa(w, key, form->exponent) : put_ecc(w, key);
}

size_t tpm_public_find_ak(const EVP_PKEY *key, const struct tpm_name *name,
			  uint8_t area[TPM_PUBLIC_AREA_MAX])
{
	bool rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
	unsigned int forms = rsa ? AK_FORMS_RSA : AK_FORMS_ECC;
	struct bytes_writer w = bytes_writer_init(area, TPM_PUBLIC_AREA_MAX);

	if (!rsa && EVP_PKEY_get_base_id(key) != EVP_PKEY_EC)
		return 0;
	for (unsigned int i = 0; i < forms; i++) {
		struct ak_form form = ak_form_of(i, name_algorithm(name), rsa);
		struct tpm_name found;

		if (!put_ak(&w, key, rsa, &form) || !tpm_public_name(area, w.size, &found))
			return 0;
		if (tpm_name_equal(&found, name))
			return w.size;
	}
	return 0;
}
