/* SPDX-License-Identifier: MIT */
/* Frames (abi/frame.h), in and out of byte streams that may lose or add bytes. */
#ifndef SOCLE_CORE_BASE_FRAME_H
#define SOCLE_CORE_BASE_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "abi/frame.h"

#define FRAME_PAYLOAD_MAX (64u << 10)

/* What the frames of a channel have in common. */
struct frame_kind {
	uint32_t magic;
	uint32_t payload_max; /* at most FRAME_PAYLOAD_MAX */
};

/* The header of a frame with this payload. */
struct frame_header frame_header(uint32_t magic, uint32_t type, const void *payload, size_t size);

/* Whether a header is one of this kind, and a payload that of its header. */
bool frame_header_ok(const struct frame_kind *kind, const struct frame_header *header);
bool frame_payload_ok(const struct frame_header *header, const void *payload);

struct frame {
	uint32_t type; /* not checked: the receiver knows its types */
	size_t size;
	const uint8_t *payload; /* in the parser, until its next call */
};

/* Bytes received and not yet made into frames. Starts as all zeros. */
struct frame_parser {
	size_t start, end; /* of the bytes in data that wait */
	uint8_t data[sizeof(struct frame_header) + FRAME_PAYLOAD_MAX];
};

/* Bytes that the parser can take now; never 0 after frame_next() returned false. */
size_t frame_room(const struct frame_parser *parser);

/* Takes as many of size bytes as there is room for, and returns how many. */
size_t frame_push(struct frame_parser *parser, const void *data, size_t size);

/*
 * The next whole frame of this kind. Bytes that are no frame, or one with a wrong length or
 * checksum, are skipped up to the next magic. False when more bytes are needed.
 */
bool frame_next(struct frame_parser *parser, const struct frame_kind *kind, struct frame *frame);

#endif
