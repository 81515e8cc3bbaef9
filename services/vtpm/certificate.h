/* SPDX-License-Identifier: MIT */
/* Whether a certificate is one for a key of this TPM. */
#ifndef SOCLE_SERVICES_VTPM_CERTIFICATE_H
#define SOCLE_SERVICES_VTPM_CERTIFICATE_H

#include <stddef.h>
#include <stdint.h>

#include "core/tpm/profile.h"

/*
 * Checks a DER certificate from the host's CA against the public area of the key and its role.
 * Signature and validity are for the relying party, which knows its CAs and the time. NULL, or what
 * is wrong.
 */
const char *certificate_check(const uint8_t *der, size_t size, const uint8_t *public_area,
			      size_t public_size, enum profile_role role);

#endif
