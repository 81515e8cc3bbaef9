/* SPDX-License-Identifier: MIT */
/*
 * Weak keys when memory is short: each allocation of the look at a key fails once, and a key whose
 * two primes are close (which Fermat's method splits) is never called good for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "core/evidence/host/public_key.h"

#define PRIME_BITS 1024
#define ALLOCATIONS_MAX 5000u

static unsigned int allocations, fails_at; /* counted from 1; 0: none */

static void *get(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return ++allocations == fails_at ? NULL : malloc(size);
}

static void *resize(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return ++allocations == fails_at ? NULL : realloc(old, size);
}

static void give_back(void *old, const char *file, int line)
{
	(void)file;
	(void)line;
	free(old);
}

static EVP_PKEY *key_of(const BIGNUM *modulus)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *parameters;
	EVP_PKEY *key = NULL;
	BIGNUM *e = BN_new();

	assert_int_equal(BN_set_word(e, 65537), 1);
	assert_int_equal(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus), 1);
	assert_int_equal(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e), 1);
	parameters = OSSL_PARAM_BLD_to_param(build);
	assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
	assert_int_equal(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters), 1);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	BN_free(e);
	return key;
}

/* A prime with its two highest bits set, and the next one. */
static EVP_PKEY *close_key(void)
{
	BIGNUM *p = BN_new(), *q = BN_new(), *modulus = BN_new();
	BN_CTX *context = BN_CTX_new();
	EVP_PKEY *key;

	assert_int_equal(BN_generate_prime_ex(p, PRIME_BITS, 0, NULL, NULL, NULL), 1);
	assert_non_null(BN_copy(q, p));
	do {
		assert_int_equal(BN_add_word(q, 2), 1);
	} while (BN_check_prime(q, context, NULL) != 1);
	assert_int_equal(BN_mul(modulus, p, q, context), 1);
	key = key_of(modulus);
	BN_free(p);
	BN_free(q);
	BN_free(modulus);
	BN_CTX_free(context);
	return key;
}

static void a_weak_key_is_none_whatever_is_missing(void **state)
{
	EVP_PKEY *key = close_key();
	unsigned int n = 0;

	(void)state;
	fails_at = 0;
	assert_non_null(public_key_error(key));
	do {
		const char *error;

		fails_at = ++n;
		allocations = 0;
		error = public_key_error(key);
		fails_at = 0;
		assert_non_null(error);
		assert_in_range(n, 1, ALLOCATIONS_MAX);
	} while (allocations >= n);
	EVP_PKEY_free(key);
}

static void a_good_key_is_one(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(2 * PRIME_BITS);

	(void)state;
	assert_non_null(key);
	assert_null(public_key_error(key));
	EVP_PKEY_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_weak_key_is_none_whatever_is_missing),
		cmocka_unit_test(a_good_key_is_one),
	};

	if (!CRYPTO_set_mem_functions(get, resize, give_back))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
