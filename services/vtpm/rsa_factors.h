/* SPDX-License-Identifier: MIT */
/*
 * libtpms 0.9 gives libcrypto a private RSA key with its exponents for the Chinese remainder theorem, but
 * without the two primes, and libcrypto then does without the theorem: a signature takes more
 * than three times as long. Here such a key gets its primes. libtpms from 0.10 on gives them itself, by
 * another function.
 *
 * A wrong prime would cost time and nothing else: libcrypto checks what the theorem gives with the
 * public exponent, and computes it by the private one if that fails (rsa_ossl_mod_exp() there).
 */
#ifndef SOCLE_SERVICES_VTPM_RSA_FACTORS_H
#define SOCLE_SERVICES_VTPM_RSA_FACTORS_H

#include <openssl/types.h>

/* libcrypto's RSA_set0_crt_params(). */
typedef int (*rsa_set_crt_function)(RSA *key, BIGNUM *dp, BIGNUM *dq, BIGNUM *q_inverse);

/*
 * In its place: set, and then the primes of a key that has none. What set returns. A key for which
 * no primes are found stays as it is.
 */
int rsa_factors_set_crt(RSA *key, BIGNUM *dp, BIGNUM *dq, BIGNUM *q_inverse,
			rsa_set_crt_function set);

/* Forgets the primes of the keys that were used last. */
void rsa_factors_forget(void);

#endif
