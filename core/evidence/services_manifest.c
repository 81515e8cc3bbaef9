/* SPDX-License-Identifier: MIT */
#include "core/evidence/services_manifest.h"

struct services_manifest services_manifest_of(uint32_t vtpm_size)
{
	struct services_manifest all = {
		.header = { .guid = SVSM_GUID_SERVICES, .count = 1 },
		.entry = { .service = SVSM_GUID_VTPM, .offset = sizeof(all) },
	};

	all.header.size = (uint32_t)sizeof(all) + vtpm_size;
	all.entry.size = vtpm_size;
	return all;
}
