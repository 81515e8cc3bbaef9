/* SPDX-License-Identifier: MIT */
/* VTPM_OP_SELECT, VTPM_OP_REMEMBER and VTPM_OP_SEEDS: from a selector to a key's manifest. */
#ifndef SOCLE_SERVICES_VTPM_SELECT_H
#define SOCLE_SERVICES_VTPM_SELECT_H

#include "services/vtpm/vtpm.h"

/* All return SERVICE_ERR_FORMAT for a malformed payload, and leave no trace in the TPM. */
enum service_status select_key(struct vtpm *vtpm, const uint8_t *payload, size_t size,
			       struct serve_output *out);
enum service_status select_remember(struct vtpm *vtpm, const uint8_t *payload, size_t size,
				    struct serve_output *out);
enum service_status select_seeds(struct vtpm *vtpm, size_t size, struct serve_output *out);

/*
 * Whether the profile allows attestation now: 0, or the TPM response code of a disabled hierarchy.
 */
uint32_t select_allowed(const struct vtpm *vtpm);

#endif
