/* SPDX-License-Identifier: MIT */
/*
 * Messages of abi/ca.h over the host channel, a byte stream whose other end is hostile: it may be
 * silent, slow, or send anything.
 */
#ifndef SOCLE_SERVICES_VTPM_HOST_CHANNEL_H
#define SOCLE_SERVICES_VTPM_HOST_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "abi/ca.h"

/* A point in time, milliseconds of the monotonic clock. */
uint64_t host_channel_deadline(uint32_t timeout_ms);

/* Sends one message. NULL, or why it could not be. */
const char *host_channel_send(enum ca_type type, const void *payload, size_t size,
			      uint64_t deadline);

/* A message that was received; payload is from malloc(). */
struct host_message {
	uint32_t type;
	size_t size;
	uint8_t *payload;
};

/* Waits for one whole message. NULL, or why there is none; then there is nothing to free. */
const char *host_channel_receive(struct host_message *message, uint64_t deadline);

#endif
