/* SPDX-License-Identifier: MIT */
/*
 * The manifest of all services (58019, section 7), which call 0 of the attestation protocol gives:
 * a list with one entry, the vTPM, whose own manifest follows.
 */
#ifndef SOCLE_CORE_EVIDENCE_SERVICES_MANIFEST_H
#define SOCLE_CORE_EVIDENCE_SERVICES_MANIFEST_H

#include "abi/svsm.h"

struct services_manifest {
	struct svsm_services_header header;
	struct svsm_services_entry entry;
};
ABI_SIZE(struct services_manifest, 48);

/* The header for a vTPM manifest of that many bytes, at most UINT32_MAX - 48. */
struct services_manifest services_manifest_of(uint32_t vtpm_size);

#endif
