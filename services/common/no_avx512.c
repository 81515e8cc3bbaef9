/* SPDX-License-Identifier: MIT */
/*
 * Under Socle a service has the x87's and SSE's state alone (monitor/trap/user.h), and CPUID says
 * so. libcrypto asks it, and then runs none of its code for AVX-512, which is 732 KiB in 3.6:
 * AES-GCM's alone is 681. The linker's --wrap has its questions, whether there is such a processor,
 * come here, where there is none, and with them its calls of that code, so that its archive's
 * members for it are not linked in. As a process of Linux a service goes without it, too.
 *
 * libcrypto 3.0 has the RSA of these, 3.1 to 3.4 AES-GCM besides, 3.5 XTS and 3.6 CFB. A name that
 * a libcrypto lacks wraps nothing; a member that is linked in all the same fails
 * services/tests/linked_test.py.
 */
#include <stdlib.h>

/* A question: int (void) in each version. */
#define NO(name)                 \
	int __wrap_##name(void); \
	int __wrap_##name(void)  \
	{                        \
		return 0;        \
	}                        \
	int __wrap_##name(void)

/* What is called after a yes alone, whatever its arguments are. */
#define NEVER(name)               \
	void __wrap_##name(void); \
	void __wrap_##name(void)  \
	{                         \
		abort();          \
	}                         \
	void __wrap_##name(void)

NO(ossl_rsaz_avx512ifma_eligible);
NO(ossl_rsaz_avxifma_eligible);
NEVER(ossl_rsaz_mod_exp_avx512_x2);

NO(ossl_vaes_vpclmulqdq_capable);
NEVER(ossl_aes_gcm_init_avx512);
NEVER(ossl_aes_gcm_setiv_avx512);
NEVER(ossl_aes_gcm_update_aad_avx512);
NEVER(ossl_aes_gcm_encrypt_avx512);
NEVER(ossl_aes_gcm_decrypt_avx512);
NEVER(ossl_aes_gcm_finalize_avx512);
NEVER(ossl_gcm_gmult_avx512);

NO(aesni_xts_avx512_eligible);
NEVER(aesni_xts_128_encrypt_avx512);
NEVER(aesni_xts_128_decrypt_avx512);
NEVER(aesni_xts_256_encrypt_avx512);
NEVER(aesni_xts_256_decrypt_avx512);

NO(ossl_aes_cfb128_vaes_eligible);
NEVER(ossl_aes_cfb128_vaes_enc);
NEVER(ossl_aes_cfb128_vaes_dec);
