/* SPDX-License-Identifier: MIT */
#include "core/evidence/host/public_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <stdbool.h>
#include <string.h>

#define EXPONENT 65537u
/* How far from each other close primes are: steps of Fermat's factorisation. */
#define FERMAT_STEPS 100u

/* Whether value is a power of the exponent modulo a small prime. */
static bool is_power(unsigned int value, unsigned int prime)
{
	unsigned int generator = EXPONENT % prime, power = 1;

	do {
		if (power == value)
			return true;
		power = power * generator % prime;
	} while (power != 1);
	return false;
}

/*
 * ROCA: both primes are powers of 65537 modulo all the first primes, and so is the modulus. Of
 * other moduli one in some hundred millions is.
 */
static bool is_roca(const BIGNUM *n)
{
	static const unsigned char primes[] = {
		3,   5,	  7,   11,  13,	 17,  19,  23,	29,  31,  37,  41,  43,
		47,  53,  59,  61,  67,	 71,  73,  79,	83,  89,  97,  101, 103,
		107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
	};

	for (size_t i = 0; i < sizeof(primes); i++) {
		if (!is_power((unsigned int)BN_mod_word(n, primes[i]), primes[i]))
			return false;
	}
	return true;
}

/* Newton's method, from a start that is not below the root. */
static bool lower_to_root(BIGNUM *root, BIGNUM *next, const BIGNUM *n, BN_CTX *context)
{
	for (;;) {
		if (!BN_div(next, NULL, n, root, context) || !BN_add(next, next, root) ||
		    !BN_rshift1(next, next))
			return false;
		if (BN_cmp(next, root) >= 0)
			return true;
		if (!BN_copy(root, next))
			return false;
	}
}

/* The largest number whose square is not above n, which is not 0; false when memory is short. */
static bool square_root(BIGNUM *root, const BIGNUM *n, BN_CTX *context)
{
	BIGNUM *next;
	bool ok;

	BN_CTX_start(context);
	next = BN_CTX_get(context);
	ok = next && BN_one(root) && BN_lshift(root, root, (BN_num_bits(n) + 1) / 2) &&
	     lower_to_root(root, next, n, context);
	BN_CTX_end(context);
	return ok;
}

/* Sets *close when n = a^2 - b^2 for one of the first a; false when memory is short. */
static bool find_close(const BIGNUM *n, bool *close, BN_CTX *context)
{
	BIGNUM *a = BN_CTX_get(context), *rest = BN_CTX_get(context), *b = BN_CTX_get(context),
	       *square = BN_CTX_get(context);

	if (!square || !square_root(a, n, context))
		return false;
	for (unsigned int i = 0; i < FERMAT_STEPS && !*close; i++) {
		if (!BN_add_word(a, 1) || !BN_sqr(rest, a, context) || !BN_sub(rest, rest, n) ||
		    !square_root(b, rest, context) || !BN_sqr(square, b, context))
			return false;
		*close = BN_cmp(square, rest) == 0;
	}
	return true;
}

static const char *modulus_error(const BIGNUM *n)
{
	BN_CTX *context = BN_CTX_new();
	bool close = false, ok;

	if (!context)
		return "the key cannot be looked at";
	BN_CTX_start(context);
	ok = find_close(n, &close, context);
	BN_CTX_end(context);
	BN_CTX_free(context);
	if (!ok)
		return "the key cannot be looked at";
	if (close)
		return "an RSA key is of two primes that are close";
	return is_roca(n) ? "an RSA key has the weakness ROCA" : NULL;
}

static const char *rsa_error(EVP_PKEY *key)
{
	BIGNUM *n = NULL, *e = NULL;
	const char *error = NULL;
	int bits = EVP_PKEY_get_bits(key);

	if (!EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) ||
	    !EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e))
		error = "an RSA key cannot be read";
	else if (bits != 2048 && bits != 3072 && bits != 4096)
		error = "an RSA key has another size than 2048, 3072 or 4096 bits";
	else if (!BN_is_word(e, EXPONENT))
		error = "an RSA key has another exponent than 65537";
	else
		error = modulus_error(n);
	BN_free(n);
	BN_free(e);
	return error;
}

static const char *ec_error(const EVP_PKEY *key)
{
	static const char *const groups[] = { "prime256v1", "secp384r1", "secp521r1" };
	char group[32];

	if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
		return "a key is on a curve without a name";
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (strcmp(group, groups[i]) == 0)
			return NULL;
	}
	return "a key is on another curve than P-256, P-384 or P-521";
}

const char *public_key_error(EVP_PKEY *key)
{
	int type = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;
	const char *error = "a key is neither RSA nor of an elliptic curve";
	EVP_PKEY_CTX *context;

	if (!key)
		return "a key cannot be read, or its point is not on its curve";
	if (type == EVP_PKEY_RSA)
		error = rsa_error(key);
	else if (type == EVP_PKEY_EC)
		error = ec_error(key);
	if (error)
		return error;
	ERR_set_mark();
	context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	/*
	 * Of a curve: its coordinates are in range and the point is on it, which is all where the
	 * cofactor is 1 (SP 800-56A, 5.6.2.3.4). Of RSA it is the whole check.
	 */
	if (!context || EVP_PKEY_public_check_quick(context) != 1)
		error = type == EVP_PKEY_RSA
				? "an RSA key's modulus is no product of two large primes"
				: "a key's point is not on its curve";
	EVP_PKEY_CTX_free(context);
	ERR_pop_to_mark();
	return error;
}
