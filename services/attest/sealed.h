/* SPDX-License-Identifier: MIT */
/*
 * Sealed messages to and from the AMD Secure Processor: AES-256-GCM under a VMPCK (SNP firmware
 * ABI, guest messages). The caller gives the sequence number; the owner of the counter makes sure
 * that no number is used for two texts.
 */
#ifndef SOCLE_SERVICES_ATTEST_SEALED_H
#define SOCLE_SERVICES_ATTEST_SEALED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/snp.h"

struct sealed_message {
	struct psp_msg_header header;
	uint8_t payload[PSP_MSG_PAYLOAD_MAX];
};
ABI_SIZE(struct sealed_message, ABI_PAGE_SIZE);

/* Seals size payload bytes as a message of this type and number under VMPCK0. */
bool sealed_seal(struct sealed_message *message, const uint8_t key[SNP_VMPCK_SIZE], uint8_t type,
		 uint64_t seqno, const void *payload, size_t size);

/*
 * Opens a message that must have this type and number. Writes its payload, at most capacity bytes,
 * to payload and its size to *size. False when anything in it is wrong.
 */
bool sealed_open(const struct sealed_message *message, const uint8_t key[SNP_VMPCK_SIZE],
		 uint8_t type, uint64_t seqno, void *payload, size_t capacity, size_t *size);

#endif
