/* SPDX-License-Identifier: MIT */
/* The serial line to the host. */
#ifndef SOCLE_GUEST_AGENT_CHANNEL_H
#define SOCLE_GUEST_AGENT_CHANNEL_H

#include "abi/channel.h"
#include "core/base/frame.h"

struct channel {
	int fd;
	struct frame_parser parser;
};

/* Opens a terminal device (or a pipe or socket, in tests) for frames. 0, or -errno. */
int channel_open(struct channel *channel, const char *path);

/* Sends a frame of at most CHANNEL_PAYLOAD_MAX bytes. 0, or -errno. */
int channel_send(struct channel *channel, uint32_t type, const void *payload, size_t size);

/* Sends a file's content as CHANNEL_FILE under this name. 0, or -errno. */
int channel_send_file(struct channel *channel, const char *path, const char *name);

/* Waits for the next frame. 0, or -errno; -EPIPE when the line was closed. */
int channel_receive(struct channel *channel, struct frame *frame);

#endif
