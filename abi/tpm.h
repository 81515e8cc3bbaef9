/* SPDX-License-Identifier: MIT */
/*
 * Numbers of the TPM 2.0 Library specification, part 2: algorithm and curve identifiers, object
 * attributes. TPM structures are big-endian and of varying size, so there are no structures here.
 */
#ifndef SOCLE_ABI_TPM_H
#define SOCLE_ABI_TPM_H

#define TPM_ALG_RSA 0x0001u
#define TPM_ALG_AES 0x0006u
#define TPM_ALG_SHA1 0x0004u
#define TPM_ALG_SHA256 0x000bu
#define TPM_ALG_SHA384 0x000cu
#define TPM_ALG_SHA512 0x000du
#define TPM_ALG_NULL 0x0010u
#define TPM_ALG_RSASSA 0x0014u
#define TPM_ALG_RSAPSS 0x0016u
#define TPM_ALG_ECDSA 0x0018u
#define TPM_ALG_ECC 0x0023u
#define TPM_ALG_CFB 0x0043u

#define TPM_ECC_P256 0x0003u
#define TPM_ECC_P384 0x0004u
#define TPM_ECC_P521 0x0005u

/* TPMA_OBJECT */
#define TPMA_OBJECT_FIXED_TPM (1u << 1)
#define TPMA_OBJECT_ST_CLEAR (1u << 2)
#define TPMA_OBJECT_FIXED_PARENT (1u << 4)
#define TPMA_OBJECT_SENSITIVE_DATA_ORIGIN (1u << 5)
#define TPMA_OBJECT_USER_WITH_AUTH (1u << 6)
#define TPMA_OBJECT_ADMIN_WITH_POLICY (1u << 7)
#define TPMA_OBJECT_NO_DA (1u << 10)
#define TPMA_OBJECT_ENCRYPTED_DUPLICATION (1u << 11)
#define TPMA_OBJECT_RESTRICTED (1u << 16)
#define TPMA_OBJECT_DECRYPT (1u << 17)
#define TPMA_OBJECT_SIGN (1u << 18)
#define TPMA_OBJECT_X509_SIGN (1u << 19)

/* The first handle of NV indices, and the mask that tells a handle's type. */
#define TPM_HT_NV_INDEX 0x01000000u
#define TPM_HT_MASK 0xff000000u

#endif
