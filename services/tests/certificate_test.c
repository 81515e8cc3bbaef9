/* SPDX-License-Identifier: MIT */
/*
 * What the vtpm service makes of a certificate, under sanitizers: the host chooses all its bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "services/tests/played_host.h"
#include "services/vtpm/certificate.h"

/* TPMT_PUBLIC up to unique, and a NUL. */
static const uint8_t rsa_head[] = "\x00\x01\x00\x0b\x00\x05\x00\x72\x00\x00\x00\x10\x00\x14\x00\x0b"
				  "\x08\x00\x00\x00\x00\x00";
static const uint8_t ecc_head[] = "\x00\x23\x00\x0b\x00\x05\x00\x72\x00\x00\x00\x10\x00\x18\x00\x0b"
				  "\x00\x03\x00\x10";

struct key {
	uint8_t public_area[512];
	size_t size;
};

static void put_number(struct key *key, const EVP_PKEY *from, const char *name, int size)
{
	BIGNUM *number = NULL;

	assert_int_equal(EVP_PKEY_get_bn_param(from, name, &number), 1);
	key->public_area[key->size++] = (uint8_t)(size >> 8);
	key->public_area[key->size++] = (uint8_t)size;
	assert_int_equal(BN_bn2binpad(number, key->public_area + key->size, size), size);
	key->size += (size_t)size;
	BN_free(number);
}

static void make_rsa(struct key *key)
{
	EVP_PKEY *from = EVP_RSA_gen(2048);

	key->size = sizeof(rsa_head) - 1;
	memcpy(key->public_area, rsa_head, key->size);
	put_number(key, from, OSSL_PKEY_PARAM_RSA_N, 256);
	EVP_PKEY_free(from);
}

static void make_ecc(struct key *key)
{
	EVP_PKEY *from = EVP_EC_gen("P-256");

	key->size = sizeof(ecc_head) - 1;
	memcpy(key->public_area, ecc_head, key->size);
	put_number(key, from, OSSL_PKEY_PARAM_EC_PUB_X, 32);
	put_number(key, from, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
	EVP_PKEY_free(from);
}

static const char *check(const struct key *key, const uint8_t *der, int size)
{
	return certificate_check(der, (size_t)size, key->public_area, key->size, PROFILE_ROLE_AK);
}

static void try_key(const struct key *key, const struct key *other)
{
	unsigned int seed = 3, taken = 0;
	int size;
	uint8_t *der = played_host_certificate(key->public_area, key->size, HONEST, &size), *copy;

	assert_null(check(key, der, size));
	assert_string_equal(check(other, der, size), "a certificate is for another key");
	assert_string_equal(
		certificate_check(der, (size_t)size, key->public_area, key->size, PROFILE_ROLE_EK),
		"a certificate's key usage is not the key's");
	for (int cut = 0; cut < size; cut++) {
		copy = malloc((size_t)cut + 1);
		memcpy(copy, der, (size_t)cut);
		assert_string_equal(check(key, copy, cut), "a certificate is malformed");
		free(copy);
	}
	for (int i = 0; i < 2000; i++) {
		size_t at = (size_t)rand_r(&seed) % (size_t)size;
		uint8_t old = der[at];

		der[at] = (uint8_t)rand_r(&seed);
		taken += !check(key, der, size);
		assert_non_null(check(other, der, size));
		der[at] = old;
	}
	/* Names, times and the signature are the relying party's business. */
	assert_true(taken > 0 && taken < 2000);
	OPENSSL_free(der);
}

static void test_certificates(void **state)
{
	static struct key rsa, ecc;

	(void)state;
	make_rsa(&rsa);
	make_ecc(&ecc);
	try_key(&rsa, &ecc);
	try_key(&ecc, &rsa);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_certificates) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
