/* SPDX-License-Identifier: MIT */
/*
 * The twin of the vTPM: makes the key that the guest's TPM would make, in another address space,
 * from a copy of its seeds, and can store nothing. It is loaded with the permanent state once, and
 * then makes one key; for the next one the monitor sets it back to where it was when loaded.
 */
#ifndef SOCLE_SERVICES_VTPM_TWIN_H
#define SOCLE_SERVICES_VTPM_TWIN_H

#include "services/common/serve.h"

/* Payloads: a permanent state; response code, public area and what certifies it. */
#define TWIN_REQUEST_MAX (160u << 10)
#define TWIN_REPLY_MAX 4096u

struct twin {
	bool loaded;	    /* a TPM is on, with the guest's seeds */
	bool used;	    /* it has made its key */
	uint32_t proof_key; /* handle of the HMAC key that it was loaded with */
};

/* A serve_handler; its context is a struct twin. */
enum service_status twin_handle(void *context, uint32_t op, const uint8_t *payload, size_t size,
				struct serve_output *out);

#endif
