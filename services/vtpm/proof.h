/* SPDX-License-Identifier: MIT */
/*
 * What the twin says, and why it is believed. The twin is another process: that it was asked for a
 * key is no reason to vouch for what comes back. Its TPM has to certify, by a key that only the two
 * have and over a challenge of this vtpm, that it has made an object with this Name, and the Name
 * is computed here.
 *
 * A signature by the new key itself would prove less: whoever says that a key of his own is the
 * TPM's can sign with it. And many keys may sign or decrypt only by a policy that a twin cannot
 * satisfy; TPM2_CertifyCreation needs no authorization of theirs.
 */
#ifndef SOCLE_SERVICES_VTPM_PROOF_H
#define SOCLE_SERVICES_VTPM_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/service.h"

/* An answer to TWIN_OP_CREATE, taken apart; the pointers are into it. */
struct proof {
	struct twin_made header;
	const uint8_t *public_area, *attest;
};

/* False when the bytes are no such answer. */
bool proof_read(struct proof *proof, const void *data, size_t size);

/* Whether the proof is of its public area, by this key, to this challenge. */
bool proof_holds(const struct proof *proof, const uint8_t key[TWIN_PROOF_SIZE],
		 const uint8_t challenge[TWIN_PROOF_SIZE]);

#endif
