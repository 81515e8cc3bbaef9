/* SPDX-License-Identifier: MIT */
/* Frames of abi/channel.h, in and out of byte streams that may lose or add bytes. */
#ifndef SOCLE_GUEST_AGENT_FRAME_H
#define SOCLE_GUEST_AGENT_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/channel.h"

#define FRAME_SIZE_MAX (sizeof(struct channel_header) + CHANNEL_PAYLOAD_MAX)

struct frame {
	uint32_t type; /* any value: what is known is the receiver's business */
	size_t size;
	const uint8_t *payload; /* in the parser, until its next call */
};

/* Bytes received and not yet made into frames. Starts as all zeros. */
struct frame_parser {
	size_t start, end; /* of the bytes in data that wait */
	uint8_t data[FRAME_SIZE_MAX];
};

/* Bytes that the parser can take now; never 0 after frame_next() returned false. */
size_t frame_room(const struct frame_parser *parser);

/* Takes as many of size bytes as there is room for, and returns how many. */
size_t frame_push(struct frame_parser *parser, const void *data, size_t size);

/*
 * The next whole frame. Bytes that are no frame, or one with a wrong length or checksum, are
 * skipped up to the next magic. False when more bytes are needed.
 */
bool frame_next(struct frame_parser *parser, struct frame *frame);

/* The header of a frame with this payload, of at most CHANNEL_PAYLOAD_MAX bytes. */
struct channel_header frame_header(uint32_t type, const void *payload, size_t size);

#endif
