/* SPDX-License-Identifier: MIT */
/*
 * The monitor's side of the capability "amd-sp" (abi/service.h): it owns the message counter of
 * VMPCK0 and the sealed message in flight. A number is what varies of AES-GCM's initialisation
 * vector, so two texts sealed under one number would break the cipher. The service that seals may
 * crash, be ended between any two instructions, or be hostile: the number of a message is used up
 * before the host first sees the message, and until the AMD-SP has answered, exactly the same bytes
 * are the only thing that can go out. So a busy or forgetful host costs time, never the key.
 *
 * Guest messages: SEV-SNP Firmware ABI (56860), chapter "Guest messages"; GHCB (56421), 4.1.7/8.
 */
#ifndef SOCLE_MONITOR_SERVICE_AMDSP_H
#define SOCLE_MONITOR_SERVICE_AMDSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/service.h"
#include "abi/snp.h"

#define AMDSP_CERTIFICATES_MAX (16u << 10)
/* Answer to SEND: size of the certificates, response page, certificates. */
#define AMDSP_SEND_REPLY_MAX (sizeof(uint32_t) + ABI_PAGE_SIZE + AMDSP_CERTIFICATES_MAX)

/* A host that is still busy after this many attempts is reported as such. */
#define AMDSP_ATTEMPTS 14u

/*
 * One for the whole monitor. The capability is granted to one service
 * (core/image/services_conf.h), which the caller has claimed, so that one asks at a time: it sleeps
 * while the host is busy.
 */
struct amdsp {
	const uint8_t *key; /* VMPCK0, SNP_VMPCK_SIZE bytes */
	uint64_t next;	    /* number of the next new message */
	bool in_flight;	    /* the message below, number next - 2, has no answer yet */
	bool closed;	    /* for good: a second text under a used number was offered */
	bool asking;	    /* somebody waits for its answer: there is one who does */
	uint8_t message[ABI_PAGE_SIZE];
	uint8_t response[ABI_PAGE_SIZE]; /* private copy that the service gets */
	uint8_t certificates[AMDSP_CERTIFICATES_MAX];
};

/* A channel that has sent nothing yet; key stays with the caller. */
void amdsp_init(struct amdsp *sp, const uint8_t key[SNP_VMPCK_SIZE]);

/*
 * One request of the service: an amdsp_op and its payload. Writes at most reply_max bytes of reply
 * payload and sets *reply_size; both mean something only with SERVICE_OK. Other results:
 * SERVICE_ERR_FORMAT for a message whose header is wrong or that carries the wrong number (nothing
 * was sent, the numbers stand), SERVICE_ERR_BUSY when the host is busy or throttles (the same
 * message may be sent again; at once, after one attempt, where the caller holds a lock or the host
 * refuses the timer), SERVICE_ERR_FAILED when the host or the AMD-SP failed or the channel is
 * closed, SERVICE_ERR_UNSUPPORTED, SERVICE_ERR_NO_MEMORY when reply_max is too small.
 */
enum service_status amdsp_request(struct amdsp *sp, uint32_t op, const void *payload, size_t size,
				  void *reply, size_t reply_max, size_t *reply_size);

#endif
