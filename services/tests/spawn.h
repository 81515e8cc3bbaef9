/* SPDX-License-Identifier: MIT */
/* Runs a service executable as a Linux process, in the place of the monitor. */
#ifndef SOCLE_SERVICES_TESTS_SPAWN_H
#define SOCLE_SERVICES_TESTS_SPAWN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/service.h"

/* A descriptor that the child gets, and the number it gets it as. */
struct spawn_grant {
	int fd;
	int as;
};

/*
 * Starts the executable with an argument, or NULL, with grants and no environment, and gives our
 * end of its request channel in *channel. The child dies with us. Returns its process id; ends the
 * test on failure.
 */
pid_t spawn_service(const char *executable, const char *argument, const struct spawn_grant *grants,
		    size_t count, int *channel);

/* A connected pair that keeps message boundaries; both ends close on exec. */
void spawn_channel(int ends[2]);

#define SPAWN_CLOSED (-1) /* no status: the channel is closed */

/*
 * One request and its reply on a channel. Returns the enum service_status, or SPAWN_CLOSED;
 * reply_size is in: room, out: bytes.
 */
int spawn_call(int channel, uint32_t op, const void *payload, size_t size, void *reply,
	       size_t *reply_size);

#endif
