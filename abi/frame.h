/* SPDX-License-Identifier: MIT */
/*
 * A frame on a stream of bytes that may begin in the middle of something, or lose some: this header
 * and its payload. A receiver that loses step looks for the next magic number of its channel
 * (abi/channel.h, abi/ca.h).
 */
#ifndef SOCLE_ABI_FRAME_H
#define SOCLE_ABI_FRAME_H

#include "abi/types.h"

struct frame_header {
	uint32_t magic;
	uint32_t type;
	uint32_t length; /* payload bytes */
	uint32_t crc32;	 /* of the payload, as in zlib */
};
ABI_SIZE(struct frame_header, 16);

#endif
