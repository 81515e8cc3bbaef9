/* SPDX-License-Identifier: MIT */
/*
 * A certificate's key is the one that OpenSSL decodes, and where it decodes none there is none: kinds of keys,
 * and their bits changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "core/evidence/host/certificate.h"

#define DER_MAX 4096
/* What says the kind of key, of which each bit is changed; of the numbers behind it one in so many. */
#define HEAD_BITS (8u * 32)
#define STRIDE 23u

static const struct kind {
	const char *type, *group, *encoding;
} kinds[] = {
	{ "RSA", NULL, NULL },	   { "EC", "P-256", NULL },
	{ "EC", "P-384", NULL },   { "EC", "P-521", NULL },
	{ "EC", "P-224", NULL },   { "EC", "P-384", OSSL_PKEY_EC_ENCODING_EXPLICIT },
	{ "RSA-PSS", NULL, NULL }, { "ED25519", NULL, NULL },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static EVP_PKEY *make_key(const struct kind *kind)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind->type, NULL);
	OSSL_PARAM parameters[3], *p = parameters;
	EVP_PKEY *key = NULL;

	if (kind->group)
		*p++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
							(char *)kind->group, 0);
	if (kind->encoding)
		*p++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING,
							(char *)kind->encoding, 0);
	*p = OSSL_PARAM_construct_end();
	assert_int_equal(EVP_PKEY_keygen_init(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_params(context, parameters), 1);
	assert_int_equal(EVP_PKEY_generate(context, &key), 1);
	EVP_PKEY_CTX_free(context);
	return key;
}

/* With that key, signed by another: bytes of der; *key_at and *key_size say where the key is. */
static size_t make(const struct kind *kind, uint8_t der[DER_MAX], size_t *key_at, size_t *key_size)
{
	EVP_PKEY *key = make_key(kind), *signer = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	unsigned char *to = der, *spki = NULL, *at;
	int size;

	assert_int_equal(X509_set_pubkey(certificate, key), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	assert_true(X509_sign(certificate, signer, EVP_sha256()) > 0);
	size = i2d_X509(certificate, NULL);
	assert_in_range(size, 1, DER_MAX);
	assert_int_equal(i2d_X509(certificate, &to), size);
	*key_size = (size_t)i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
	at = memmem(der, (size_t)size, spki, *key_size);
	assert_non_null(at);
	*key_at = (size_t)(at - der);
	OPENSSL_free(spki);
	X509_free(certificate);
	EVP_PKEY_free(signer);
	EVP_PKEY_free(key);
	return (size_t)size;
}

/* Ours and OpenSSL's are one key, or there is none. */
static void compare(const uint8_t *der, size_t size)
{
	const unsigned char *at = der;
	X509 *theirs = d2i_X509(NULL, &at, (long)size), *ours = certificate_read_der(der, size);
	EVP_PKEY *key, *expected;

	if (theirs && at != der + size) {
		X509_free(theirs);
		theirs = NULL;
	}
	assert_int_equal(!theirs, !ours);
	if (theirs) {
		key = certificate_key(ours);
		expected = X509_get0_pubkey(theirs);
		assert_int_equal(!expected, !key);
		if (key) {
			assert_int_equal(EVP_PKEY_eq(key, expected), 1);
			assert_int_equal(EVP_PKEY_get_base_id(key), EVP_PKEY_get_base_id(expected));
			assert_int_equal(EVP_PKEY_get_bits(key), EVP_PKEY_get_bits(expected));
		}
		assert_ptr_equal(certificate_key(theirs), expected);
	}
	X509_free(ours);
	X509_free(theirs);
	ERR_clear_error();
}

static void test_kinds(void **state)
{
	uint8_t der[DER_MAX];
	size_t at, key_size;

	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		size_t size = make(&kinds[i], der, &at, &key_size);
		X509 *certificate = certificate_read_der(der, size);

		assert_non_null(certificate);
		assert_non_null(certificate_key(certificate));
		assert_ptr_equal(certificate_key(certificate), certificate_key(certificate));
		X509_free(certificate);
		compare(der, size);
		assert_null(certificate_read_der(der, size - 1));
		ERR_clear_error();
	}
}

static void test_changed(void **state)
{
	uint8_t der[DER_MAX];
	size_t at, key_size;

	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		size_t size = make(&kinds[i], der, &at, &key_size);

		for (size_t bit = 0; bit < 8 * key_size; bit += bit < HEAD_BITS ? 1 : STRIDE) {
			der[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
			compare(der, size);
			der[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

/* One after the other out of text, with other words between; the signature is still OpenSSL's to check. */
static void test_pem(void **state)
{
	BIO *bio = BIO_new(BIO_s_mem());
	EVP_PKEY *key = EVP_EC_gen("P-384");
	X509 *certificate = X509_new();

	(void)state;
	assert_int_equal(X509_set_pubkey(certificate, key), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	assert_true(X509_sign(certificate, key, EVP_sha384()) > 0);
	for (int i = 0; i < 2; i++) {
		assert_true(BIO_puts(bio, "a certificate\n") > 0);
		assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
	}
	for (int i = 0; i < 2; i++) {
		X509 *read = certificate_read_pem(bio);

		assert_non_null(read);
		assert_int_equal(X509_cmp(read, certificate), 0);
		assert_int_equal(EVP_PKEY_eq(certificate_key(read), key), 1);
		assert_int_equal(X509_verify(read, certificate_key(read)), 1);
		X509_free(read);
	}
	assert_null(certificate_read_pem(bio));
	ERR_clear_error();
	X509_free(certificate);
	EVP_PKEY_free(key);
	BIO_free(bio);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_pem),
	};

	return cmocka_run_group_tests_name("certificate", tests, NULL, NULL);
}
