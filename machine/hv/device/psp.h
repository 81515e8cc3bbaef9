/* SPDX-License-Identifier: MIT */
/* Requests to the host process, which plays the AMD Secure Processor, over the mailbox. */
#ifndef SOCLE_MACHINE_HV_DEVICE_PSP_H
#define SOCLE_MACHINE_HV_DEVICE_PSP_H

#include "machine/mailbox.h"

/* The certificates of an extended request: where to put them, how much room, how much is needed. */
struct psp_certs {
	uint8_t *data;	/* in the mailbox; good until the lock is dropped */
	uint64_t pages; /* in: offered by the caller; out: the host process's answer */
};

/*
 * Sends one sealed guest message of that VMPL to the AMD-SP and waits for the answer, with the big
 * lock dropped meanwhile: guest pages looked at before must be looked at again. response is the
 * mailbox's page and good until the lock is dropped. request is copied before the lock is dropped,
 * which rests on host_call_wait().  certs is NULL for a plain request.
 * Returns SW_EXITINFO2: 0, or VMM error in 63:32 and firmware error in 31:0.
 */
uint64_t psp_guest_request(unsigned int vmpl, const uint8_t request[ABI_PAGE_SIZE],
			   const uint8_t **response, struct psp_certs *certs);

#endif
