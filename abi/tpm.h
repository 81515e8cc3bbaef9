/* SPDX-License-Identifier: MIT */
/*
 * Numbers of the TPM 2.0 Library specification, part 2. TPM structures are big-endian and of
 * varying size, so there are no structures here.
 */
#ifndef SOCLE_ABI_TPM_H
#define SOCLE_ABI_TPM_H

#define TPM_GENERATED_VALUE 0xff544347u /* how everything starts that a TPM says of itself */

#define TPM_ST_NO_SESSIONS 0x8001u
#define TPM_ST_SESSIONS 0x8002u
#define TPM_ST_ATTEST_QUOTE 0x8018u
#define TPM_ST_ATTEST_CREATION 0x801au

#define TPM_CC_EVICT_CONTROL 0x120u
#define TPM_CC_NV_UNDEFINE_SPACE 0x122u
#define TPM_CC_CHANGE_EPS 0x124u
#define TPM_CC_CHANGE_PPS 0x125u
#define TPM_CC_CLEAR 0x126u
#define TPM_CC_CLEAR_CONTROL 0x127u
#define TPM_CC_HIERARCHY_CHANGE_AUTH 0x129u
#define TPM_CC_NV_DEFINE_SPACE 0x12au
#define TPM_CC_PCR_ALLOCATE 0x12bu
#define TPM_CC_CREATE_PRIMARY 0x131u
#define TPM_CC_NV_WRITE 0x137u
#define TPM_CC_NV_WRITE_LOCK 0x138u
#define TPM_CC_STARTUP 0x144u
#define TPM_CC_SHUTDOWN 0x145u
#define TPM_CC_CERTIFY_CREATION 0x14au
#define TPM_CC_NV_READ 0x14eu
#define TPM_CC_CREATE 0x153u
#define TPM_CC_LOAD 0x157u
#define TPM_CC_QUOTE 0x158u
#define TPM_CC_FLUSH_CONTEXT 0x165u
#define TPM_CC_NV_READ_PUBLIC 0x169u
#define TPM_CC_GET_CAPABILITY 0x17au
#define TPM_CC_PCR_READ 0x17eu

#define TPM_RC_SUCCESS 0u
#define TPM_RC_HIERARCHY_1 0x185u /* of the first handle */
#define TPM_RC_VALUE_2 0x2c4u	  /* of the second parameter */
#define TPM_RC_CANCELED 0x909u
/* Warnings after which the same command is to be sent again. */
#define TPM_RC_YIELDED 0x908u
#define TPM_RC_TESTING 0x90au
#define TPM_RC_RETRY 0x922u

#define TPM_RH_OWNER 0x40000001u
#define TPM_RH_ENDORSEMENT 0x4000000bu
#define TPM_RH_PLATFORM 0x4000000cu
#define TPM_RS_PW 0x40000009u

#define TPM_PCR_COUNT 24u

#define TPM_ALG_RSA 0x0001u
#define TPM_ALG_SHA1 0x0004u
#define TPM_ALG_HMAC 0x0005u
#define TPM_ALG_AES 0x0006u
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
