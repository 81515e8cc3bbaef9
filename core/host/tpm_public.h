/* SPDX-License-Identifier: MIT */
/* Public areas of TPM keys (TPM 2.0 Library part 2, TPMT_PUBLIC), their Names, and OpenSSL keys. */
#ifndef SOCLE_CORE_HOST_TPM_PUBLIC_H
#define SOCLE_CORE_HOST_TPM_PUBLIC_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TPM_ALG_RSA 0x0001u
#define TPM_ALG_SHA1 0x0004u
#define TPM_ALG_SHA256 0x000bu
#define TPM_ALG_SHA384 0x000cu
#define TPM_ALG_SHA512 0x000du
#define TPM_ALG_NULL 0x0010u
#define TPM_ALG_RSASSA 0x0014u
#define TPM_ALG_RSAPSS 0x0016u
#define TPM_ALG_ECDSA 0x0018u
#define TPM_ALG_ECC 0x0023u
#define TPM_ECC_P256 0x0003u
#define TPM_ECC_P384 0x0004u

#define TPM_NAME_MAX 66u
#define TPM_PUBLIC_AREA_MAX 1024u

/* A Name: the algorithm, big-endian, then the digest of the public area. */
struct tpm_name {
	uint8_t bytes[TPM_NAME_MAX];
	size_t size;
};

/* A public area taken apart. The pointers are into the bytes it was read from. */
struct tpm_public {
	uint16_t type, name_alg;
	uint32_t attributes;
	const uint8_t *policy;
	size_t policy_size;
	uint16_t symmetric, symmetric_bits, symmetric_mode;
	uint16_t scheme, scheme_hash;
	uint16_t bits;	      /* RSA */
	uint32_t exponent;    /* RSA, 0: 65537 */
	uint16_t curve;	      /* ECC */
	const uint8_t *x, *y; /* RSA: x is the modulus */
	size_t x_size, y_size;
};

/* Takes apart a TPMT_PUBLIC of an RSA or ECC key; false when any of it is malformed. */
bool tpm_public_read(struct tpm_public *public_area, const void *data, size_t size);

/* The Name of a public area; false for a name algorithm other than SHA-2. */
bool tpm_public_name(const void *data, size_t size, struct tpm_name *name);

/* The key as OpenSSL's, to be freed by the caller; NULL when it is none. */
EVP_PKEY *tpm_public_key(const struct tpm_public *public_area);

/*
 * The Name that key has as a restricted signing key made by a TPM: fixedTPM, fixedParent,
 * sensitiveDataOrigin, userWithAuth, restricted, sign; Name algorithm and scheme with SHA-256; RSA
 * with the given scheme. False for a key of another kind.
 */
bool tpm_public_ak_name(const EVP_PKEY *key, uint16_t rsa_scheme, struct tpm_name *name);

/*
 * The qualified name of a key whose parent is a primary key of the endorsement hierarchy (part 1,
 * section 16): what an attestation by it calls its signer.
 */
bool tpm_public_qualified_name(const struct tpm_name *parent, const struct tpm_name *key,
			       struct tpm_name *qualified);

bool tpm_name_equal(const struct tpm_name *a, const struct tpm_name *b);

#endif
