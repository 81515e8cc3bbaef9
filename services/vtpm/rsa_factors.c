/* SPDX-License-Identifier: MIT */
#define OPENSSL_SUPPRESS_DEPRECATED /* libtpms 0.9 makes its keys by these functions */
#include "services/vtpm/rsa_factors.h"

#include <openssl/bn.h>
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

void rsa_factors_forget(void)
{
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
 * p divides 2^(e*dp) - 2, since e*dp is 1 modulo p - 1, and q hardly ever does. Exponentiation, gcd and division
 * take the same time for all values where their operands are marked.
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
