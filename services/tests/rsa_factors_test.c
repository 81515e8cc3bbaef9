/* SPDX-License-Identifier: MIT */
/*
 * Keys are made by libcrypto, whose primes are what has to be found, and whose signatures have to
 * be the same.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "services/vtpm/rsa_factors.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
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

/* What is private was zeroed, and nothing else. */
static void assert_wiped(const OSSL_PARAM *params)
{
	for (const OSSL_PARAM *number = params; number->key; number++) {
		bool public = strcmp(number->key, OSSL_PKEY_PARAM_RSA_N) == 0 ||
			      strcmp(number->key, OSSL_PKEY_PARAM_RSA_E) == 0;
		uint8_t any = 0;

		for (size_t i = 0; i < number->data_size; i++)
			any |= ((const uint8_t *)number->data)[i];
		assert_int_equal(any != 0, public);
	}
}

/*
 * From all numbers of a key, as libtpms 0.10 gives them, or without one; its primes alone may be
 * exchanged.
 */
static EVP_PKEY *from_data(const RSA *from, bool exchanged, const char *without,
			   rsa_from_data_function function)
{
	const BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *q_inverse;
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params;

	RSA_get0_key(from, &n, &e, &d);
	RSA_get0_factors(from, &p, &q);
	RSA_get0_crt_params(from, &dp, &dq, &q_inverse);
	const struct {
		const char *name;
		const BIGNUM *number;
	} parts[] = { { OSSL_PKEY_PARAM_RSA_N, n },
		      { OSSL_PKEY_PARAM_RSA_E, e },
		      { OSSL_PKEY_PARAM_RSA_D, d },
		      { OSSL_PKEY_PARAM_RSA_FACTOR1, exchanged ? q : p },
		      { OSSL_PKEY_PARAM_RSA_FACTOR2, exchanged ? p : q },
		      { OSSL_PKEY_PARAM_RSA_EXPONENT1, dp },
		      { OSSL_PKEY_PARAM_RSA_EXPONENT2, dq },
		      { OSSL_PKEY_PARAM_RSA_COEFFICIENT1, q_inverse } };
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!without || strcmp(parts[i].name, without) != 0)
			assert_int_equal(
				OSSL_PARAM_BLD_push_BN(builder, parts[i].name, parts[i].number), 1);
	}
	params = OSSL_PARAM_BLD_to_param(builder);
	assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
	assert_int_equal(rsa_factors_from_data(context, &key, EVP_PKEY_KEYPAIR, params, function),
			 1);
	assert_wiped(params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	EVP_PKEY_CTX_free(context);
	return key;
}

static void assert_first_is(const EVP_PKEY *key, const BIGNUM *wanted)
{
	BIGNUM *first = NULL;

	assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_FACTOR1, &first), 1);
	assert_int_equal(BN_cmp(first, wanted), 0);
	BN_free(first);
}

static void test_primes_change_places(void **state)
{
	const BIGNUM *p;

	(void)state;
	for (int i = 0; i < KEYS; i++) {
		for (int exchanged = 0; exchanged < 2; exchanged++) {
			EVP_PKEY *key = from_data(whole[i], exchanged, NULL, EVP_PKEY_fromdata);

			RSA_get0_factors(whole[i], &p, NULL);
			assert_first_is(key, p);
			assert_signs_as((RSA *)EVP_PKEY_get0_RSA(key), whole[i]);
			EVP_PKEY_free(key);
		}
	}
}

static BIGNUM *first_given;

static int note_first(EVP_PKEY_CTX *context, EVP_PKEY **key, int selection, OSSL_PARAM *params)
{
	const OSSL_PARAM *first = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_RSA_FACTOR1);

	(void)context;
	(void)key;
	(void)selection;
	return !first || OSSL_PARAM_get_BN(first, &first_given);
}

static void test_primes_stay_where_nothing_tells_their_order(void **state)
{
	static const char *const names[] = { OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_EXPONENT1,
					     OSSL_PKEY_PARAM_RSA_FACTOR1,
					     OSSL_PKEY_PARAM_RSA_FACTOR2 };
	const BIGNUM *q;

	(void)state;
	RSA_get0_factors(whole[0], NULL, &q);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_null(from_data(whole[0], true, names[i], note_first));
		if (i == 2)
			assert_null(first_given);
		else
			assert_int_equal(BN_cmp(first_given, q), 0);
		BN_free(first_given);
		first_given = NULL;
	}
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
		cmocka_unit_test(test_primes_change_places),
		cmocka_unit_test(test_primes_stay_where_nothing_tells_their_order),
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
