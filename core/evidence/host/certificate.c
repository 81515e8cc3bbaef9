/* SPDX-License-Identifier: MIT */
#include "core/evidence/host/certificate.h"

#include <openssl/asn1t.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <stdbool.h>

/* RSAPublicKey (RFC 8017, A.1.1). */
struct rsa_numbers {
	ASN1_INTEGER *modulus, *exponent;
};

typedef struct rsa_numbers RSA_NUMBERS;

ASN1_SEQUENCE(RSA_NUMBERS) = {
	ASN1_SIMPLE(RSA_NUMBERS, modulus, ASN1_INTEGER),
	ASN1_SIMPLE(RSA_NUMBERS, exponent, ASN1_INTEGER),
} static_ASN1_SEQUENCE_END(RSA_NUMBERS)

/* A world of OpenSSL's without any algorithm: there it finds no decoder for a key. */
static struct {
	CRYPTO_ONCE once;
	OSSL_LIB_CTX *context; /* NULL, and so the usual one, when memory was short */
	int index;	       /* where a certificate keeps its key; below 0 when there is none */
} keyless = { .once = CRYPTO_ONCE_STATIC_INIT };

static void free_key(void *certificate, void *key, CRYPTO_EX_DATA *data, int index, long argument,
		     void *more)
{
	(void)certificate;
	(void)data;
	(void)index;
	(void)argument;
	(void)more;
	EVP_PKEY_free(key);
}

static void start(void)
{
	OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();

	keyless.index = X509_get_ex_new_index(0, NULL, NULL, NULL, free_key);
	/* Without a provider of its own it would take the default one. */
	if (context && keyless.index >= 0 && OSSL_PROVIDER_load(context, "null"))
		keyless.context = context;
	else
		OSSL_LIB_CTX_free(context);
}

static EVP_PKEY *key_of(const char *type, OSSL_PARAM *parameters)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	return key;
}

static EVP_PKEY *rsa_key_of(const RSA_NUMBERS *numbers)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(numbers->modulus, NULL);
	BIGNUM *e = ASN1_INTEGER_to_BN(numbers->exponent, NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *parameters = NULL;
	EVP_PKEY *key = NULL;

	if (n && e && !BN_is_negative(n) && !BN_is_negative(e) && build &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
		parameters = OSSL_PARAM_BLD_to_param(build);
	if (parameters)
		key = key_of("RSA", parameters);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(build);
	BN_free(e);
	BN_free(n);
	return key;
}

static EVP_PKEY *read_rsa(const X509_ALGOR *algorithm, const unsigned char *data, int size)
{
	const unsigned char *at = data;
	RSA_NUMBERS *numbers;
	EVP_PKEY *key = NULL;
	int type;

	X509_ALGOR_get0(NULL, &type, NULL, algorithm);
	if (type != V_ASN1_NULL)
		return NULL;
	numbers = (RSA_NUMBERS *)ASN1_item_d2i(NULL, &at, size, ASN1_ITEM_rptr(RSA_NUMBERS));
	if (numbers && at == data + size)
		key = rsa_key_of(numbers);
	ASN1_item_free((ASN1_VALUE *)numbers, ASN1_ITEM_rptr(RSA_NUMBERS));
	return key;
}

/* OpenSSL sees that the point is on the curve. */
static EVP_PKEY *read_point(const X509_ALGOR *algorithm, const unsigned char *data, int size)
{
	const void *curve;
	int type, nid;

	X509_ALGOR_get0(NULL, &type, &curve, algorithm);
	nid = type == V_ASN1_OBJECT ? OBJ_obj2nid(curve) : NID_undef;
	if (nid != NID_X9_62_prime256v1 && nid != NID_secp384r1 && nid != NID_secp521r1)
		return NULL;
	return key_of("EC",
		      (OSSL_PARAM[]){ OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
								       (char *)OBJ_nid2sn(nid), 0),
				      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
									(void *)data, (size_t)size),
				      OSSL_PARAM_construct_end() });
}

/* What is no plain key is OpenSSL's to decode, as if the certificate were another's. */
static EVP_PKEY *read_any(X509_PUBKEY *from)
{
	unsigned char *der = NULL;
	int size = i2d_X509_PUBKEY(from, &der);
	const unsigned char *at = der;
	EVP_PKEY *key = size > 0 ? d2i_PUBKEY(NULL, &at, size) : NULL;

	OPENSSL_free(der);
	return key;
}

static EVP_PKEY *read_key(const X509 *certificate)
{
	X509_PUBKEY *from = X509_get_X509_PUBKEY(certificate);
	const unsigned char *data;
	ASN1_OBJECT *kind;
	X509_ALGOR *algorithm;
	EVP_PKEY *key = NULL;
	int size;

	if (!from || X509_PUBKEY_get0_param(&kind, &data, &size, &algorithm, from) != 1)
		return NULL;
	ERR_set_mark();
	if (OBJ_obj2nid(kind) == NID_rsaEncryption)
		key = read_rsa(algorithm, data, size);
	else if (OBJ_obj2nid(kind) == NID_X9_62_id_ecPublicKey)
		key = read_point(algorithm, data, size);
	if (!key)
		key = read_any(from);
	ERR_pop_to_mark();
	return key;
}

/* Now, so that threads who share a certificate find its key there. */
static X509 *with_key(X509 *certificate)
{
	EVP_PKEY *key;

	if (!certificate || !keyless.context)
		return certificate;
	key = read_key(certificate);
	if (!key || X509_set_ex_data(certificate, keyless.index, key) == 1)
		return certificate;
	EVP_PKEY_free(key);
	X509_free(certificate);
	return NULL;
}

static X509 *decode(const unsigned char **at, long size)
{
	if (CRYPTO_THREAD_run_once(&keyless.once, start) != 1)
		return NULL;
	return (X509 *)ASN1_item_d2i_ex(NULL, at, size, ASN1_ITEM_rptr(X509), keyless.context,
					NULL);
}

X509 *certificate_read_der(const void *data, size_t size)
{
	const unsigned char *at = data;
	X509 *certificate = decode(&at, (long)size);

	if (!certificate || at == (const unsigned char *)data + size)
		return with_key(certificate);
	X509_free(certificate);
	return NULL;
}

X509 *certificate_read_pem(BIO *bio)
{
	const unsigned char *at;
	unsigned char *der = NULL;
	X509 *certificate;
	long size;

	/*
	 * With an empty passphrase for encrypted PEM: evidence must not make OpenSSL ask the user
	 * for one.
	 */
	if (PEM_bytes_read_bio(&der, &size, NULL, PEM_STRING_X509, bio, NULL, "") != 1)
		return NULL;
	at = der;
	certificate = decode(&at, size);
	OPENSSL_free(der);
	return with_key(certificate);
}

EVP_PKEY *certificate_key(const X509 *certificate)
{
	EVP_PKEY *key = NULL;

	if (CRYPTO_THREAD_run_once(&keyless.once, start) == 1 && keyless.context)
		key = X509_get_ex_data(certificate, keyless.index);
	return key ? key : X509_get0_pubkey(certificate);
}
