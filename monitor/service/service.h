/* SPDX-License-Identifier: MIT */
/*
 * Services as the rest of the monitor sees them: a name, and one message for one reply. How they
 * are loaded, run and confined is this folder's business.
 */
#ifndef SOCLE_MONITOR_SERVICE_SERVICE_H
#define SOCLE_MONITOR_SERVICE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "abi/params.h"
#include "abi/service.h"

/* The services that the monitor's own protocols call. */
enum service_role {
	SERVICE_VTPM,
	SERVICE_ATTEST,
	SERVICE_ROLES,
};

/*
 * Starts every service of services.conf and waits until each has asked for its first request.
 * Called once, on the first vCPU, before the guest runs. A broken archive is our own bug: die().
 */
void services_start(const struct socle_params *params);

/* True when the service is loaded and has not crashed. */
bool service_available(enum service_role role);

/*
 * Sends one request (op, then the payload) and waits for the reply. Takes the service's lock; the
 * caller holds none but, in a call from another service, that one's. At most reply_max payload
 * bytes are copied to reply; *reply_size is their number. A service that crashed, ran past its
 * budget, misused a system call or answered nonsense gives SERVICE_ERR_FAILED, now and ever after.
 * A reply that is larger than reply_max gives SERVICE_ERR_NO_MEMORY and *reply_size the need.
 */
enum service_status service_call(enum service_role role, uint32_t op, const void *payload,
				 size_t size, void *reply, size_t reply_max, size_t *reply_size);

#endif
