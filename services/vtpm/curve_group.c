/* SPDX-License-Identifier: MIT */
#include "services/vtpm/curve_group.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <stdbool.h>

#define P256_BITS 256

/* A libcrypto without faster code makes its group of P-256 by the function that is replaced. */
static _Thread_local bool by_name;

static EC_GROUP *new_p256(void)
{
	EC_GROUP *group;

	by_name = true;
	group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	by_name = false;
	return group;
}

static bool has_numbers(const EC_GROUP *group, const BIGNUM *p, const BIGNUM *a, const BIGNUM *b,
			BN_CTX *context)
{
	BIGNUM *group_p = BN_new(), *group_a = BN_new(), *group_b = BN_new();
	bool same = group_p && group_a && group_b &&
		    EC_GROUP_get_curve(group, group_p, group_a, group_b, context) &&
		    BN_cmp(group_p, p) == 0 && BN_cmp(group_a, a) == 0 && BN_cmp(group_b, b) == 0;

	BN_free(group_p);
	BN_free(group_a);
	BN_free(group_b);
	return same;
}

EC_GROUP *curve_group_new(const BIGNUM *p, const BIGNUM *a, const BIGNUM *b, BN_CTX *context,
			  curve_group_function make)
{
	EC_GROUP *group;

	if (by_name || !p || !a || !b || BN_num_bits(p) != P256_BITS)
		return make(p, a, b, context);
	group = new_p256();
	if (group && has_numbers(group, p, a, b, context)) {
		EC_GROUP_set_curve_name(group, NID_undef);
		return group;
	}
	EC_GROUP_free(group);
	return make(p, a, b, context);
}
