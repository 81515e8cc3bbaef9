/* SPDX-License-Identifier: MIT */
/*
 * One TPM 2.0 (libtpms): manufactured, provisioned from a profile and started. There is one in a
 * process, for libtpms keeps its state in globals.
 */
#ifndef SOCLE_SERVICES_VTPM_TPM_H
#define SOCLE_SERVICES_VTPM_TPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/vtpm/profile.h"

#define TPM_BUFFER_MAX 4096u /* largest command and response */
#define TPM_PUBLIC_MAX 1024u /* largest TPMT_PUBLIC */

/* The TPM's own response code, 0 for success, or this when it could not even answer. */
#define TPM_RC_NONE 0xffffffffu

/*
 * Manufactures a TPM with a fresh seed, allocates the profile's PCR banks, starts it with
 * TPM2_Startup(CLEAR) and gives the platform hierarchy a random authorization that nobody keeps:
 * from here on no guest can replace the endorsement seed. Returns a TPM response code.
 */
uint32_t tpm_start(const struct profile *profile);

/*
 * Executes one command at a locality. response has room for TPM_BUFFER_MAX bytes. False when
 * libtpms gave no response at all.
 */
bool tpm_execute(uint8_t locality, const uint8_t *command, size_t size, uint8_t *response,
		 size_t *response_size);

/*
 * The public area of the primary key that template makes in the endorsement hierarchy. The key is
 * flushed again. public_area has room for TPM_PUBLIC_MAX bytes. Returns a TPM response code.
 */
uint32_t tpm_endorsement_public(const uint8_t *template, size_t template_size, uint8_t *public_area,
				size_t *public_size);

#endif
