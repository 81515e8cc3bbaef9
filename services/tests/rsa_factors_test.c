/* SPDX-License-Identifier: MIT */
/* Keys are made by libcrypto, whose primes are what has to be found, and whose signatures have to be the same. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "services/vtpm/rsa_factors.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KEYS 10 /* more than are remembered */
#define SIGNATURE_SIZE 128

static RSA *whole[KEYS];

/* What libtpms 0.9 has of a key: neither prime. */
struct parts {
	BIGNUM *dp, *dq, *q_inverse;
};

static RSA *key_of(const RSA *from, bool with_e)
{
	const BIGNUM *n, *e, *d;
	RSA *key = RSA_new();

	RSA_get0_key(from, &n, &e, &d);
	assert_int_equal(RSA_set0_key(key, BN_dup(n), BN_dup(with_e ? e : n), BN_dup(d)), 1);
	return key;
}

static struct parts parts_of(const RSA *from)
{
	const BIGNUM *dp, *dq, *q_inverse;

	RSA_get0_crt_params(from, &dp, &dq, &q_inverse);
	return (struct parts){ BN_dup(dp), BN_dup(dq), BN_dup(q_inverse) };
}

static void assert_has_primes_of(const RSA *key, const RSA *from)
{
	const BIGNUM *p, *q, *wanted_p, *wanted_q;

	RSA_get0_factors(key, &p, &q);
	RSA_get0_factors(from, &wanted_p, &wanted_q);
	assert_non_null(p);
	assert_int_equal(BN_cmp(p, wanted_p), 0);
	assert_int_equal(BN_cmp(q, wanted_q), 0);
}

static void assert_has_none(const RSA *key)
{
	const BIGNUM *p;

	RSA_get0_factors(key, &p, NULL);
	assert_null(p);
}

static void assert_signs_as(RSA *key, RSA *other)
{
	const uint8_t digest[32] = { 1, 2, 3 };
	uint8_t signatures[2][SIGNATURE_SIZE];
	unsigned int size;

	assert_int_equal(RSA_sign(NID_sha256, digest, sizeof(digest), signatures[0], &size, key),
			 1);
	assert_int_equal(RSA_sign(NID_sha256, digest, sizeof(digest), signatures[1], &size, other),
			 1);
	assert_memory_equal(signatures[0], signatures[1], SIGNATURE_SIZE);
}

static RSA *completed(const RSA *from)
{
	RSA *key = key_of(from, true);
	struct parts parts = parts_of(from);

	assert_int_equal(
		rsa_factors_set_crt(key, parts.dp, parts.dq, parts.q_inverse, RSA_set0_crt_params),
		1);
	return key;
}

/* Twice over more keys than are remembered: found, found again, and found anew. */
static void test_primes_are_found(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * KEYS; i++) {
		for (int twice = 0; twice < 2; twice++) {
			RSA *key = completed(whole[i % KEYS]);

			assert_has_primes_of(key, whole[i % KEYS]);
			assert_signs_as(key, whole[i % KEYS]);
			RSA_free(key);
		}
	}
}

static void test_found_after_being_forgotten(void **state)
{
	RSA *key;

	(void)state;
	rsa_factors_forget();
	key = completed(whole[0]);
	assert_has_primes_of(key, whole[0]);
	RSA_free(key);
	rsa_factors_forget();
	rsa_factors_forget();
}

/* The other order of the primes has other exponents and another inverse. */
static void test_the_exponents_tell_the_order(void **state)
{
	RSA *swapped = key_of(whole[0], true), *key;
	const BIGNUM *p, *q, *dp, *dq;
	BN_CTX *context = BN_CTX_new();

	(void)state;
	rsa_factors_forget();
	RSA_get0_factors(whole[0], &p, &q);
	RSA_get0_crt_params(whole[0], &dp, &dq, NULL);
	assert_int_equal(RSA_set0_factors(swapped, BN_dup(q), BN_dup(p)), 1);
	assert_int_equal(RSA_set0_crt_params(swapped, BN_dup(dq), BN_dup(dp),
					     BN_mod_inverse(NULL, p, q, context)),
			 1);
	key = completed(swapped);
	assert_has_primes_of(key, swapped);
	assert_signs_as(key, whole[0]);
	RSA_free(key);
	RSA_free(swapped);
	BN_CTX_free(context);
	rsa_factors_forget();
}

/* Of each part one that is wrong: the key stays as it was, and signs by its private exponent. */
static void test_wrong_parts_give_no_primes(void **state)
{
	(void)state;
	rsa_factors_forget();
	for (int wrong = 0; wrong < 3; wrong++) {
		RSA *key = key_of(whole[0], true);
		struct parts parts = parts_of(whole[0]);

		if (wrong == 0)
			assert_int_equal(BN_add_word(parts.dp, 2), 1);
		else if (wrong == 1)
			assert_int_equal(BN_set_word(parts.dp, 0), 1);
		else
			assert_int_equal(BN_add_word(parts.q_inverse, 1), 1);
		assert_int_equal(rsa_factors_set_crt(key, parts.dp, parts.dq, parts.q_inverse,
						     RSA_set0_crt_params),
				 1);
		assert_has_none(key);
		assert_signs_as(key, whole[0]);
		RSA_free(key);
	}
}

/* An exponent that is not this key's. */
static void test_another_public_exponent_gives_none(void **state)
{
	RSA *key = key_of(whole[0], false);
	struct parts parts = parts_of(whole[0]);

	(void)state;
	assert_int_equal(
		rsa_factors_set_crt(key, parts.dp, parts.dq, parts.q_inverse, RSA_set0_crt_params),
		1);
	assert_has_none(key);
	RSA_free(key);
}

static void test_primes_that_are_there_stay(void **state)
{
	RSA *key = key_of(whole[0], true);
	struct parts parts = parts_of(whole[0]);
	const BIGNUM *p, *q;

	(void)state;
	RSA_get0_factors(whole[1], &p, &q);
	assert_int_equal(RSA_set0_factors(key, BN_dup(p), BN_dup(q)), 1);
	assert_int_equal(
		rsa_factors_set_crt(key, parts.dp, parts.dq, parts.q_inverse, RSA_set0_crt_params),
		1);
	assert_has_primes_of(key, whole[1]);
	RSA_free(key);
}

static int refuse(RSA *key, BIGNUM *dp, BIGNUM *dq, BIGNUM *q_inverse)
{
	(void)key;
	(void)dp;
	(void)dq;
	(void)q_inverse;
	return 0;
}

/* Who is refused keeps what it gave, a missing part among it. */
static void test_a_refusal_is_passed_on(void **state)
{
	RSA *key = key_of(whole[0], true), *empty = RSA_new();
	struct parts parts = parts_of(whole[0]);

	(void)state;
	assert_int_equal(rsa_factors_set_crt(key, parts.dp, parts.dq, parts.q_inverse, refuse), 0);
	assert_has_none(key);
	assert_int_equal(rsa_factors_set_crt(key, NULL, NULL, NULL, RSA_set0_crt_params), 0);
	assert_has_none(key);
	/* A key without its public half. */
	assert_int_equal(rsa_factors_set_crt(empty, parts.dp, parts.dq, parts.q_inverse,
					     RSA_set0_crt_params),
			 1);
	assert_has_none(empty);
	RSA_free(key);
	RSA_free(empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_primes_are_found),
		cmocka_unit_test(test_found_after_being_forgotten),
		cmocka_unit_test(test_the_exponents_tell_the_order),
		cmocka_unit_test(test_wrong_parts_give_no_primes),
		cmocka_unit_test(test_another_public_exponent_gives_none),
		cmocka_unit_test(test_primes_that_are_there_stay),
		cmocka_unit_test(test_a_refusal_is_passed_on),
	};
	BIGNUM *e = BN_new();
	int failed;

	BN_set_word(e, RSA_F4);
	for (int i = 0; i < KEYS; i++) {
		whole[i] = RSA_new();
		if (!RSA_generate_key_ex(whole[i], SIGNATURE_SIZE * 8, e, NULL))
			return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (int i = 0; i < KEYS; i++)
		RSA_free(whole[i]);
	BN_free(e);
	return failed;
}
