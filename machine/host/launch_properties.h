/* SPDX-License-Identifier: MIT */
/*
 * What a VMM hands to the AMD-SP beside the pages of a launch: the properties of QEMU's object
 * sev-snp-guest (qapi/qom.json, SevSnpGuestProperties) that go into SNP_LAUNCH_START and
 * SNP_LAUNCH_FINISH.
 */
#ifndef SOCLE_MACHINE_HOST_LAUNCH_PROPERTIES_H
#define SOCLE_MACHINE_HOST_LAUNCH_PROPERTIES_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/psp.h"

/* The policy where nobody gives one, as with QEMU. */
#define LAUNCH_POLICY_DEFAULT (PSP_POLICY_SMT | PSP_POLICY_RESERVED_ONE)

struct launch_properties {
	/* Of an IGVM file's launch, which may have its own of these, they are not looked at. */
	uint64_t policy;
	bool has_id_block, has_id_auth, author_key_enabled;
	struct psp_id_block id_block;
	struct psp_id_auth id_auth;
	/* Of any launch. */
	uint8_t workarounds[16]; /* guest-visible-workarounds: GOSVW */
	uint8_t host_data[32];
	bool vcek_disabled;
};

#endif
