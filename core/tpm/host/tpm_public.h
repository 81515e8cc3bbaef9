/* SPDX-License-Identifier: MIT */
/* Public areas of TPM keys (TPM 2.0 Library part 2, TPMT_PUBLIC), their Names, and OpenSSL keys. */
#ifndef SOCLE_CORE_TPM_HOST_TPM_PUBLIC_H
#define SOCLE_CORE_TPM_HOST_TPM_PUBLIC_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tpm/wire.h"

#define TPM_NAME_MAX 66u
#define TPM_PUBLIC_AREA_MAX 1024u

/* A Name: the algorithm, big-endian, then the digest of the public area. */
struct tpm_name {
	uint8_t bytes[TPM_NAME_MAX];
	size_t size;
};

/* The Name of a public area; false for a name algorithm other than SHA-2. */
bool tpm_public_name(const void *data, size_t size, struct tpm_name *name);

/* The key as OpenSSL's, to be freed by the caller; NULL when it is none. */
EVP_PKEY *tpm_public_key(const struct wire_public *public_area);

/*
 * A Name is that of a whole public area, and one key may have many. This finds the area with the
 * given Name among those of a signing key that may be attested (docs/spec/create-and-attest.md,
 * section 8) and has no policy. Returns its size, or 0 when there is none.
 */
size_t tpm_public_find_ak(const EVP_PKEY *key, const struct tpm_name *name,
			  uint8_t area[TPM_PUBLIC_AREA_MAX]);

/*
 * The qualified name of a key whose parent is a primary key of the endorsement hierarchy (part 1,
 * section 16): what an attestation by it calls its signer.
 */
bool tpm_public_qualified_name(const struct tpm_name *parent, const struct tpm_name *key,
			       struct tpm_name *qualified);

/* The qualified name of a primary key of a hierarchy, which is given by its handle (TPM_RH_*). */
bool tpm_public_primary_name(uint32_t hierarchy, const struct tpm_name *key,
			     struct tpm_name *qualified);

/* OpenSSL's name of a curve; NULL for one that is not known here. */
const char *tpm_curve_name(uint16_t curve);

/* OpenSSL's digest for a TPM algorithm; NULL for one other than SHA-256, SHA-384, SHA-512. */
const EVP_MD *tpm_digest(uint16_t algorithm);

bool tpm_name_equal(const struct tpm_name *a, const struct tpm_name *b);

#endif
