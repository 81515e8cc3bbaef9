/* SPDX-License-Identifier: MIT */
/* Where libtpms is linked statically: the linker's --wrap has its calls come here. */
#include "services/vtpm/rsa_factors.h"

int __wrap_RSA_set0_crt_params(RSA *key, BIGNUM *dp, BIGNUM *dq, BIGNUM *q_inverse);
int __real_RSA_set0_crt_params(RSA *key, BIGNUM *dp, BIGNUM *dq, BIGNUM *q_inverse);

int __wrap_RSA_set0_crt_params(RSA *key, BIGNUM *dp, BIGNUM *dq, BIGNUM *q_inverse)
{
	return rsa_factors_set_crt(key, dp, dq, q_inverse, __real_RSA_set0_crt_params);
}
