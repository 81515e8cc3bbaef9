/* SPDX-License-Identifier: MIT */
/* Evidence in NV memory, in the form of Azure's paravisor (docs/profiles.md). */
#ifndef SOCLE_SERVICES_VTPM_EVIDENCE_H
#define SOCLE_SERVICES_VTPM_EVIDENCE_H

#include "services/vtpm/cache.h"

/*
 * Header, report at VMPL0, runtime data that names the RSA key; REPORT_DATA is the SHA-256 of the
 * runtime data. False when there is no report or it does not fit.
 */
bool evidence_make(const struct cache_entry *key, uint8_t *data, size_t capacity, size_t *size);

#endif
