/* SPDX-License-Identifier: MIT */
/*
 * The twin of the vTPM: makes the key that the guest's TPM would make, in another address space,
 * from a copy of its permanent state, and can store nothing. A process answers one request; the
 * monitor sets it back to its snapshot for the next.
 */
#ifndef SOCLE_SERVICES_VTPM_ORACLE_H
#define SOCLE_SERVICES_VTPM_ORACLE_H

#include "services/common/serve.h"

/* Payloads: state and template; response code and public area. */
#define ORACLE_REQUEST_MAX (160u << 10)
#define ORACLE_REPLY_MAX 4096u

struct oracle {
	bool used;
};

/* Does beforehand what is the same for every request. False when there is no TPM. */
bool oracle_prepare(void);

/* A serve_handler; its context is a struct oracle. */
enum service_status oracle_handle(void *context, uint32_t op, const uint8_t *payload, size_t size,
				  struct serve_output *out);

#endif
