/* SPDX-License-Identifier: MIT */
/* Where libtpms is linked statically: the linker's --wrap has its calls come here. */
#include "services/vtpm/curve_group.h"
#include "services/vtpm/rsa_factors.h"

int __wrap_RSA_set0_crt_params(RSA *key, BIGNUM *dp, BIGNUM *dq, BIGNUM *q_inverse);
int __real_RSA_set0_crt_params(RSA *key, BIGNUM *dp, BIGNUM *dq, BIGNUM *q_inverse);
int __wrap_EVP_PKEY_fromdata(EVP_PKEY_CTX *context, EVP_PKEY **key, int selection,
			     OSSL_PARAM *params);
int __real_EVP_PKEY_fromdata(EVP_PKEY_CTX *context, EVP_PKEY **key, int selection,
			     OSSL_PARAM *params);
EC_GROUP *__wrap_EC_GROUP_new_curve_GFp(const BIGNUM *p, const BIGNUM *a, const BIGNUM *b,
					BN_CTX *context);
EC_GROUP *__real_EC_GROUP_new_curve_GFp(const BIGNUM *p, const BIGNUM *a, const BIGNUM *b,
					BN_CTX *context);

int __wrap_RSA_set0_crt_params(RSA *key, BIGNUM *dp, BIGNUM *dq, BIGNUM *q_inverse)
{
	return rsa_factors_set_crt(key, dp, dq, q_inverse, __real_RSA_set0_crt_params);
}

int __wrap_EVP_PKEY_fromdata(EVP_PKEY_CTX *context, EVP_PKEY **key, int selection,
			     OSSL_PARAM *params)
{
	return rsa_factors_from_data(context, key, selection, params, __real_EVP_PKEY_fromdata);
}

EC_GROUP *__wrap_EC_GROUP_new_curve_GFp(const BIGNUM *p, const BIGNUM *a, const BIGNUM *b,
					BN_CTX *context)
{
	return curve_group_new(p, a, b, context, __real_EC_GROUP_new_curve_GFp);
}
