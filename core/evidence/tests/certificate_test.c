/* SPDX-License-Identifier: MIT */
/*
 * A certificate's key is the one that OpenSSL decodes, and where it decodes none there is none:
 * kinds of keys, and their bits changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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
/*
 * What says the kind of key, of which each bit is changed; of the numbers behind it one in so many.
 */
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

#define PLAIN_KINDS 4u /* the first of them */
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

/* Plain keys are ours to read: OpenSSL's part of the certificate has none. */
static void test_ours(void **state)
{
	uint8_t der[DER_MAX];
	size_t at, key_size;

	(void)state;
	for (size_t i = 0; i < PLAIN_KINDS; i++) {
		size_t size = make(&kinds[i], der, &at, &key_size);
		X509 *certificate = certificate_read_der(der, size);

		assert_non_null(certificate);
		assert_null(X509_get0_pubkey(certificate));
		assert_non_null(certificate_key(certificate));
		X509_free(certificate);
		ERR_clear_error();
	}
}

/* ---- Keys by hand ---- */

struct der {
	uint8_t bytes[DER_MAX];
	size_t size;
};

/* A value of this tag with these contents, behind what is there. */
static void put(struct der *to, unsigned int tag, const void *data, size_t size)
{
	uint8_t *at = to->bytes + to->size;

	assert_in_range(size, 0, DER_MAX - to->size - 4);
	at[0] = (uint8_t)tag;
	at[1] = 0x82;
	at[2] = (uint8_t)(size >> 8);
	at[3] = (uint8_t)size;
	if (size < 128) {
		at[1] = (uint8_t)size;
		at -= 2;
	} else if (size < 256) {
		at[1] = 0x81;
		at[2] = (uint8_t)size;
		at -= 1;
	}
	memcpy(at + 4, data, size);
	to->size = (size_t)(at + 4 + size - to->bytes);
}

/* An RSA key's numbers, as they are written; parameters and what stands behind the key. */
struct rsa_case {
	const char *name;
	uint8_t first[2]; /* before the modulus, which begins with a set bit */
	size_t first_size;
	const char *exponent;
	size_t exponent_size;
	const char *parameters;
	size_t parameters_size;
	size_t behind; /* bytes */
};

#define NULL_PARAMETERS "\5\0", 2
#define EXPONENT "\1\0\1", 3

static const struct rsa_case rsa_cases[] = {
	{ "good", { 0 }, 1, EXPONENT, NULL_PARAMETERS, 0 },
	{ "a negative modulus", { 0 }, 0, EXPONENT, NULL_PARAMETERS, 0 },
	{ "a modulus with a zero too many", { 0, 0 }, 2, EXPONENT, NULL_PARAMETERS, 0 },
	{ "a negative exponent", { 0 }, 1, "\x81\0\1", 3, NULL_PARAMETERS, 0 },
	{ "an exponent with a zero too many", { 0 }, 1, "\0\1\0\1", 4, NULL_PARAMETERS, 0 },
	{ "an exponent of no byte", { 0 }, 1, "", 0, NULL_PARAMETERS, 0 },
	{ "a byte behind it", { 0 }, 1, EXPONENT, NULL_PARAMETERS, 1 },
	{ "no parameters", { 0 }, 1, EXPONENT, "", 0, 0 },
	{ "parameters of a number", { 0 }, 1, EXPONENT, "\2\1\1", 3, 0 },
};

static void put_spki(struct der *to, const void *oid, size_t oid_size, const void *parameters,
		     size_t parameters_size, const void *key, size_t key_size)
{
	struct der algorithm = { .size = 0 }, bits = { .size = 1 }, both = { .size = 0 };

	put(&algorithm, 6, oid, oid_size);
	memcpy(algorithm.bytes + algorithm.size, parameters, parameters_size);
	algorithm.size += parameters_size;
	bits.bytes[0] = 0;
	memcpy(bits.bytes + 1, key, key_size);
	bits.size += key_size;
	put(&both, 0x30, algorithm.bytes, algorithm.size);
	put(&both, 3, bits.bytes, bits.size);
	put(to, 0x30, both.bytes, both.size);
}

/* A certificate with that key, whose signature nobody looks at here. */
static size_t wrap(const struct der *spki, uint8_t der[DER_MAX])
{
	static const uint8_t algorithm[] = "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
	static const char times[] = "\x17\x0d"
				    "260101000000Z"
				    "\x17\x0d"
				    "270101000000Z";
	struct der inner = { .size = 0 }, all = { .size = 0 }, whole = { .size = 0 };

	put(&inner, 2, "\1", 1);
	put(&inner, 0x30, algorithm, sizeof(algorithm) - 1);
	put(&inner, 0x30, "", 0);
	put(&inner, 0x30, times, sizeof(times) - 1);
	put(&inner, 0x30, "", 0);
	memcpy(inner.bytes + inner.size, spki->bytes, spki->size);
	inner.size += spki->size;
	put(&all, 0x30, inner.bytes, inner.size);
	put(&all, 0x30, algorithm, sizeof(algorithm) - 1);
	put(&all, 3, "\0sig", 4);
	put(&whole, 0x30, all.bytes, all.size);
	memcpy(der, whole.bytes, whole.size);
	return whole.size;
}

/* Of each, only the first is a plain key; what OpenSSL makes of the others is theirs, and ours. */
static void expect_plain(const struct der *spki, bool plain, const char *name)
{
	uint8_t der[DER_MAX];
	size_t size = wrap(spki, der);
	X509 *certificate = certificate_read_der(der, size);

	if (plain &&
	    (!certificate || X509_get0_pubkey(certificate) || !certificate_key(certificate)))
		fail_msg("%s: no key", name);
	X509_free(certificate);
	ERR_clear_error();
	compare(der, size);
}

static void test_rsa_by_hand(void **state)
{
	static const uint8_t oid[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
	EVP_PKEY *key = make_key(&kinds[0]);
	uint8_t modulus[512];
	BIGNUM *n = NULL;
	int size;

	(void)state;
	assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	size = BN_bn2bin(n, modulus + 2);
	for (size_t i = 0; i < sizeof(rsa_cases) / sizeof(rsa_cases[0]); i++) {
		const struct rsa_case *c = &rsa_cases[i];
		struct der numbers = { .size = 0 }, rsa = { .size = 0 }, spki = { .size = 0 };
		uint8_t *first = modulus + 2 - c->first_size;

		memcpy(first, c->first, c->first_size);
		put(&numbers, 2, first, (size_t)size + c->first_size);
		put(&numbers, 2, c->exponent, c->exponent_size);
		put(&rsa, 0x30, numbers.bytes, numbers.size);
		memset(rsa.bytes + rsa.size, 0, c->behind);
		put_spki(&spki, oid, sizeof(oid) - 1, c->parameters, c->parameters_size, rsa.bytes,
			 rsa.size + c->behind);
		expect_plain(&spki, i == 0, c->name);
	}
	BN_free(n);
	EVP_PKEY_free(key);
}

static void test_point_by_hand(void **state)
{
	static const uint8_t oid[] = "\x2a\x86\x48\xce\x3d\x02\x01";
	static const uint8_t curve[] = "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
	EVP_PKEY *key = make_key(&kinds[1]);
	uint8_t point[66] = { 0 };
	size_t size;
	const struct {
		const char *name;
		size_t curve_size, point_size;
		bool plain;
	} cases[] = {
		{ "good", sizeof(curve) - 1, 65, true },
		{ "no curve", 0, 65, false },
		{ "a byte behind it", sizeof(curve) - 1, 66, false },
		{ "a byte less", sizeof(curve) - 1, 64, false },
		{ "no point", sizeof(curve) - 1, 0, false },
	};

	(void)state;
	assert_int_equal(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
							 point, sizeof(point), &size),
			 1);
	assert_int_equal(size, 65);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct der spki = { .size = 0 };

		put_spki(&spki, oid, sizeof(oid) - 1, curve, cases[i].curve_size, point,
			 cases[i].point_size);
		expect_plain(&spki, cases[i].plain, cases[i].name);
	}
	EVP_PKEY_free(key);
}

/*
 * One after the other out of text, with other words between; the signature is still OpenSSL's to
 * check.
 */
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
		cmocka_unit_test(test_kinds),	      cmocka_unit_test(test_changed),
		cmocka_unit_test(test_ours),	      cmocka_unit_test(test_rsa_by_hand),
		cmocka_unit_test(test_point_by_hand), cmocka_unit_test(test_pem),
	};

	return cmocka_run_group_tests_name("certificate", tests, NULL, NULL);
}
