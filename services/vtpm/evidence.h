/* SPDX-License-Identifier: MIT */
/* Evidence in NV memory, in the form of Azure's paravisor (docs/profiles.md). */
#ifndef SOCLE_SERVICES_VTPM_EVIDENCE_H
#define SOCLE_SERVICES_VTPM_EVIDENCE_H

#include "services/vtpm/vtpm.h"

/*
 * Header, report at VMPL0, runtime data that names the RSA key; REPORT_DATA is the SHA-256 of the
 * runtime data, which the attest service makes. False when there is no report or it does not fit.
 */
bool evidence_make(const struct cache_entry *key, uint8_t *data, size_t capacity, size_t *size);

/* Whether this command, by its response, has evidence made anew: it wrote what goes into it. */
bool evidence_is_asked(const struct vtpm *vtpm, const uint8_t *command, size_t size,
		       const uint8_t *response, size_t response_size);

/*
 * VTPM_OP_EVIDENCE_OF and VTPM_OP_EVIDENCE. Reading what the guest wrote leaves no trace in the
 * TPM; where nothing comes of it, the log says why, and the evidence stays what it was.
 */
enum service_status evidence_of(struct vtpm *vtpm, size_t size, struct serve_output *out);
enum service_status evidence_take(struct vtpm *vtpm, const uint8_t *payload, size_t size);

#endif
