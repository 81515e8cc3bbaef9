/* SPDX-License-Identifier: MIT */
/* Which public keys may be trusted at all, whatever vouches for them. */
#ifndef SOCLE_CORE_EVIDENCE_HOST_PUBLIC_KEY_H
#define SOCLE_CORE_EVIDENCE_HOST_PUBLIC_KEY_H

#include <openssl/evp.h>

/*
 * NULL for RSA of 2048, 3072 or 4096 bits with the exponent 65537 and for points of P-256, P-384
 * and P-521, unless the modulus is known to be weak: a prime, a power or with a small factor (NIST
 * SP 800-56B, 6.4.2), of the form that CVE-2017-15361 (ROCA) names, or of two primes that are close
 * (CVE-2022-26320). Otherwise what is wrong, as a constant string. NULL is no key.
 */
const char *public_key_error(EVP_PKEY *key);

#endif
