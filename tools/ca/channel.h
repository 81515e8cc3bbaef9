/* SPDX-License-Identifier: MIT */
/* Messages of abi/ca.h over a stream socket. */
#ifndef SOCLE_TOOLS_CA_CHANNEL_H
#define SOCLE_TOOLS_CA_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/ca.h"

/* One side of a conversation. Within a message neither may be silent for half a minute. */
struct ca_channel {
	int fd;
	uint64_t end_ms; /* of the monotonic clock: when the other side's time is over; 0: never */
};

/* seconds is how long the other side may stay connected at all; 0: without limit. */
struct ca_channel ca_channel_open(int fd, unsigned int seconds);

struct ca_message {
	uint32_t type;
	uint32_t size;
	uint8_t payload[CA_PAYLOAD_MAX];
};

enum ca_receive {
	CA_RECEIVED,
	CA_DAMAGED, /* too long, or with a wrong checksum; the stream goes on behind it */
	CA_CLOSED,  /* or silent within a message for too long, or its time is over */
};

/*
 * Waits for the next message. Bytes before one are skipped: a serial line may begin in the middle
 * of something.
 */
enum ca_receive ca_channel_receive(const struct ca_channel *channel, struct ca_message *message);

/*
 * Sends one message; false when the other side is gone or takes nothing for too long, or when its
 * time is over.
 */
bool ca_channel_send(const struct ca_channel *channel, uint32_t type, const void *payload,
		     size_t size);

/* Whether the other side's time is over. */
bool ca_channel_over(const struct ca_channel *channel);

/* Connects to an authority's Unix socket, for which it waits up to seconds. -1 with errno. */
int ca_channel_connect(const char *path, unsigned int seconds);

#endif
