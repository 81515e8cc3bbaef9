/* SPDX-License-Identifier: MIT */
/*
 * Credentials: a secret for whoever has a storage key and, in the same TPM, the object with a given
 * Name (TPM 2.0 Library part 1, section 24; part 3, TPM2_MakeCredential). Only
 * TPM2_ActivateCredential opens one.
 */
#ifndef SOCLE_CORE_TPM_HOST_TPM_CREDENTIAL_H
#define SOCLE_CORE_TPM_HOST_TPM_CREDENTIAL_H

#include "core/tpm/host/tpm_public.h"

#define TPM_CREDENTIAL_SECRET_MAX 64u
#define TPM_CREDENTIAL_SIZE_MAX 1024u

struct tpm_credential {
	/* As tpm2-tools keep one: magic, version, TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET. */
	uint8_t data[TPM_CREDENTIAL_SIZE_MAX];
	size_t size;
};

/*
 * Makes a credential for the storage key, which has AES in CFB mode, and the object. The secret is
 * at most as long as a digest of the storage key's name algorithm. NULL, or what is wrong.
 */
const char *tpm_credential_make(const struct wire_public *storage, const struct tpm_name *object,
				const void *secret, size_t size, struct tpm_credential *credential);

#endif
