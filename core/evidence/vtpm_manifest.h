/* SPDX-License-Identifier: MIT */
/*
 * Manifests of the vTPM (docs/spec/create-and-attest.md, section 7). Version 0 is one TPMT_PUBLIC;
 * version 1 is a big-endian u32 1, a u32 count and that many TPM2B_PUBLIC. The first two bytes tell
 * them apart: no TPMT_PUBLIC has the type 0.
 */
#ifndef SOCLE_CORE_EVIDENCE_VTPM_MANIFEST_H
#define SOCLE_CORE_EVIDENCE_VTPM_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tpm/selector.h"

#define VTPM_MANIFEST_KEYS_MAX 32u

/* A public area, in the bytes that were read. */
struct vtpm_manifest_key {
	const uint8_t *data;
	size_t size;
	struct selector_template info;
};

struct vtpm_manifest {
	uint32_t version;
	struct vtpm_manifest_key keys[VTPM_MANIFEST_KEYS_MAX];
	size_t count; /* at least 1 */
};

/*
 * Reads one public area, which has to pass selector_template_check() and to be a finished key.
 * NULL, or what is wrong; then *key is not to be used.
 */
const char *vtpm_manifest_read_key(struct vtpm_manifest_key *key, const void *data, size_t size);

/* The version that a manifest of these bytes would have. */
uint32_t vtpm_manifest_version(const void *data, size_t size);

/* Takes a manifest apart, with every key of it. NULL, or what is wrong. */
const char *vtpm_manifest_read(struct vtpm_manifest *manifest, const void *data, size_t size);

#endif
