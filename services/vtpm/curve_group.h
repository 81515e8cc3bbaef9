/* SPDX-License-Identifier: MIT */
/*
 * libtpms makes the group of a curve anew for each command, from the curve's numbers, and libcrypto
 * computes in such a group by code that is for all curves. For P-256 it has faster code, which it
 * gives to whoever names the curve. Here a group of P-256's numbers gets it.
 */
#ifndef SOCLE_SERVICES_VTPM_CURVE_GROUP_H
#define SOCLE_SERVICES_VTPM_CURVE_GROUP_H

#include <openssl/ec.h>

/* libcrypto's EC_GROUP_new_curve_GFp(). */
typedef EC_GROUP *(*curve_group_function)(const BIGNUM *p, const BIGNUM *a, const BIGNUM *b,
					  BN_CTX *context);

/*
 * In its place: the caller's own group, or NULL. Of P-256's numbers it is one with the faster code,
 * and, as make's, without a name: who gives it another generator shall not have a group that passes
 * for P-256. All others are make's.
 */
EC_GROUP *curve_group_new(const BIGNUM *p, const BIGNUM *a, const BIGNUM *b, BN_CTX *context,
			  curve_group_function make);

#endif
