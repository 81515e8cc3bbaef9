/* SPDX-License-Identifier: MIT */
/*
 * libtpms 0.9 gives libcrypto a private RSA key with its exponents for the Chinese remainder
 * theorem, but without the two primes, and libcrypto then does without the theorem: a signature
 * takes more than three times as long. Here such a key gets its primes.
 *
 * libtpms 0.10 gives the primes, too, by another function, but its exponents are for the larger
 * prime first, and the primes stand as the key has them. For half of the keys what the theorem
 * gives is wrong then; libcrypto sees that, by the public exponent, and computes it by the private
 * one (rsa_ossl_mod_exp() there). Here the primes change places. For the same reason a wrong prime
 * costs time and nothing else.
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

/* libcrypto's EVP_PKEY_fromdata(). */
typedef int (*rsa_from_data_function)(EVP_PKEY_CTX *context, EVP_PKEY **key, int selection,
				      OSSL_PARAM *params);

/*
 * In its place: from_data, with primes that fit the exponents; all other keys as they are. The
 * private numbers of an RSA key in params are zeroed behind it: libtpms frees them next, and
 * libcrypto leaves what is freed as it was.
 */
int rsa_factors_from_data(EVP_PKEY_CTX *context, EVP_PKEY **key, int selection, OSSL_PARAM *params,
			  rsa_from_data_function from_data);

/*
 * Forgets the primes of the keys that were used last, here and in libtpms: whoever runs commands
 * does so behind one that ends keys for good. TPM2_FlushContext is none: a resource manager
 * (Linux's /dev/tpmrm0) flushes a key behind each command, and loads it again for the next, which
 * would have to find the primes each time.
 */
void rsa_factors_forget(void);

#endif
