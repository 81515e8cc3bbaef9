/* SPDX-License-Identifier: MIT */
/*
 * What SNP_LAUNCH_FINISH makes of an ID block (SEV-SNP Firmware ABI, 56860: SNP_LAUNCH_FINISH and
 * the structures of the ID block and its authentication; AMD's published firmware does the same in
 * the same order).
 */
#ifndef SOCLE_MACHINE_HOST_ID_BLOCK_H
#define SOCLE_MACHINE_HOST_ID_BLOCK_H

#include "abi/igvm.h"
#include "machine/host/psp.h"

/*
 * Judges the block against the launch, whose policy and measurement are final. NULL, and what
 * reports say of it is in *launch: then the AMD-SP takes it. Otherwise why it does not, and nothing
 * was changed.
 */
const char *id_block_refusal(const struct psp_id_block *block, const struct psp_id_auth *auth,
			     bool author_key_enabled, struct psp_launch *launch);

/*
 * The same for the block of an IGVM file, which has no policy of its own: the launch's is signed.
 */
const char *id_block_igvm_refusal(const struct igvm_snp_id_block *file, struct psp_launch *launch);

#endif
