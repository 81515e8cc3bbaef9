/* SPDX-License-Identifier: MIT */
#define OPENSSL_SUPPRESS_DEPRECATED /* libtpms 0.9 makes its keys by such functions */
#include "services/vtpm/rsa_factors.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <stdbool.h>
#include <stddef.h>

/* Keys that take turns; the three of the transient slots, and some persistent ones. */
#define KNOWN_MAX 8u

/* libtpms makes the key anew for each command, and finding primes takes longer than a signature. */
static struct known_key {
	BIGNUM *n, *p, *q;
} known[KNOWN_MAX];
static size_t oldest;

static void forget(struct known_key *k)
{
	BN_free(k->n);
	BN_clear_free(k->p);
	BN_clear_free(k->q);
	*k = (struct known_key){ 0 };
}

/*
 * libtpms 0.9 keeps a prime of keys that it has signed with, too, beside their private exponents,
 * and has this to end it; within a shared library it cannot be reached.
 */
void ExpDCacheFree(void) __attribute__((weak));

void rsa_factors_forget(void)
{
	if (ExpDCacheFree)
		ExpDCacheFree();
	for (size_t i = 0; i < KNOWN_MAX; i++)
		forget(&known[i]);
}

static const struct known_key *find(const BIGNUM *n)
{
	for (size_t i = 0; i < KNOWN_MAX; i++) {
		if (known[i].n && BN_cmp(known[i].n, n) == 0)
			return &known[i];
	}
	return NULL;
}

/*
 * p divides 2^(e*dp) - 2, since e*dp is 1 modulo p - 1, and q hardly ever does. Exponentiation, gcd
 * and division take the same time for all values where their operands are marked.
 */
static bool compute(struct known_key *k, const BIGNUM *e, const BIGNUM *dp, BN_CTX *context)
{
	BIGNUM *exponent = BN_CTX_get(context), *power = BN_CTX_get(context);
	BIGNUM *two = BN_CTX_get(context), *rest = BN_CTX_get(context);

	if (!rest || !BN_set_word(two, 2) || !BN_mul(exponent, e, dp, context))
		return false;
	BN_set_flags(exponent, BN_FLG_CONSTTIME);
	if (!BN_mod_exp(power, two, exponent, k->n, context) ||
	    !BN_mod_sub(power, power, two, k->n, context) || !BN_gcd(k->p, power, k->n, context))
		return false;
	BN_set_flags(k->p, BN_FLG_CONSTTIME);
	return BN_div(k->q, rest, k->n, k->p, context) && BN_is_zero(rest) && !BN_is_one(k->p) &&
	       !BN_is_one(k->q);
}

/* Which of the two is p: q_inverse is that of q modulo p. */
static bool is_inverse(const struct known_key *k, const BIGNUM *q_inverse, BN_CTX *context)
{
	BIGNUM *product = BN_CTX_get(context);

	return product && BN_mod_mul(product, q_inverse, k->q, k->p, context) && BN_is_one(product);
}

/* NULL where none are found. */
static const struct known_key *learn(const BIGNUM *n, const BIGNUM *e, const BIGNUM *dp,
				     const BIGNUM *q_inverse)
{
	struct known_key found = { BN_dup(n), BN_secure_new(), BN_secure_new() };
	BN_CTX *context = BN_CTX_secure_new();
	struct known_key *k = NULL;

	if (context)
		BN_CTX_start(context);
	if (context && found.n && found.p && found.q && compute(&found, e, dp, context) &&
	    is_inverse(&found, q_inverse, context)) {
		k = &known[oldest++ % KNOWN_MAX];
		forget(k);
		*k = found;
	} else {
		forget(&found);
	}
	if (context)
		BN_CTX_end(context);
	BN_CTX_free(context);
	return k;
}

static void set_factors(RSA *key, const struct known_key *k)
{
	BIGNUM *p = BN_dup(k->p), *q = BN_dup(k->q);

	if (p && q && RSA_set0_factors(key, p, q))
		return;
	BN_clear_free(p);
	BN_clear_free(q);
}

int rsa_factors_set_crt(RSA *key, BIGNUM *dp, BIGNUM *dq, BIGNUM *q_inverse,
			rsa_set_crt_function set)
{
	const struct known_key *k;
	const BIGNUM *n, *e, *p;
	int done = set(key, dp, dq, q_inverse);

	RSA_get0_key(key, &n, &e, NULL);
	RSA_get0_factors(key, &p, NULL);
	if (!done || p || !n || !e || !dp || !q_inverse)
		return done;
	k = find(n);
	if (!k)
		k = learn(n, e, dp, q_inverse);
	if (k)
		set_factors(key, k);
	return done;
}

static BIGNUM *number_of(const OSSL_PARAM *param)
{
	BIGNUM *number = NULL;

	if (!param || !OSSL_PARAM_get_BN(param, &number))
		return NULL;
	BN_set_flags(number, BN_FLG_CONSTTIME);
	return number;
}

/* Whether e*dp is 1 modulo p - 1. */
static bool fits(const OSSL_PARAM *prime, const BIGNUM *e, const BIGNUM *dp, BN_CTX *context)
{
	BIGNUM *p = number_of(prime), *product = BN_new();
	bool ok = p && product && BN_sub_word(p, 1) && BN_mod_mul(product, e, dp, p, context) &&
		  BN_is_one(product);

	BN_clear_free(p);
	BN_clear_free(product);
	return ok;
}

static bool are_exchanged(const OSSL_PARAM *params, const OSSL_PARAM *first,
			  const OSSL_PARAM *second)
{
	BIGNUM *e = number_of(OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_E));
	BIGNUM *dp = number_of(OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_EXPONENT1));
	BN_CTX *context = BN_CTX_secure_new();
	bool exchanged = e && dp && context && !fits(first, e, dp, context) &&
			 fits(second, e, dp, context);

	BN_CTX_free(context);
	BN_clear_free(dp);
	BN_free(e);
	return exchanged;
}

static const char *const private_numbers[] = {
	OSSL_PKEY_PARAM_RSA_D,	       OSSL_PKEY_PARAM_RSA_FACTOR1,
	OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
	OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

static void wipe(OSSL_PARAM *params)
{
	for (size_t i = 0; i < sizeof(private_numbers) / sizeof(private_numbers[0]); i++) {
		OSSL_PARAM *number = OSSL_PARAM_locate(params, private_numbers[i]);

		if (number)
			OPENSSL_cleanse(number->data, number->data_size);
	}
}

int rsa_factors_from_data(EVP_PKEY_CTX *context, EVP_PKEY **key, int selection, OSSL_PARAM *params,
			  rsa_from_data_function from_data)
{
	OSSL_PARAM *first = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_RSA_FACTOR1);
	OSSL_PARAM *second = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_RSA_FACTOR2);
	int done;

	if (first && second && are_exchanged(params, first, second)) {
		const char *name = first->key;

		first->key = second->key;
		second->key = name;
	}
	done = from_data(context, key, selection, params);
	wipe(params);
	return done;
}
