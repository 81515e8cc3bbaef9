/* SPDX-License-Identifier: MIT */
/*
 * Runs a service's executable (docs/services.md) as a Linux process, in the place of the monitor.
 */
#ifndef SOCLE_CORE_BASE_HOST_SERVICE_PROCESS_H
#define SOCLE_CORE_BASE_HOST_SERVICE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/service.h"
#include "core/base/host/error.h"

#define SERVICE_GRANTS_MAX 8u

/* A descriptor that the process gets, and the number that it has there. */
struct service_grant {
	int fd;
	int as;
};

struct service_process {
	pid_t pid;
	int channel; /* our end of its request channel */
};

/*
 * Starts the executable with grants, one argument (NULL: none) and no environment. The process dies
 * with us. service_process_stop() ends it.
 */
bool service_process_start(struct service_process *process, const char *executable,
			   const char *argument, const struct service_grant *grants, size_t count,
			   struct host_error *error);

/* Ends it at once and closes the channel. */
void service_process_stop(struct service_process *process);

/* A connected pair that keeps message boundaries; both ends close on exec. */
bool service_process_channel(int ends[2]);

/*
 * A request, of at most SERVICE_MESSAGE_MAX with its header, to a service; and its reply, with
 * *size the room for its payload and then its size. False for a request that is too long, a channel
 * that is closed, or a reply that is malformed: then there is no status.
 */
bool service_process_call(int channel, uint32_t op, const void *payload, size_t payload_size,
			  enum service_status *status, void *reply, size_t *size);

#endif
