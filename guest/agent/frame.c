/* SPDX-License-Identifier: MIT */
#include "guest/agent/frame.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc32.h"

enum parse_result { PARSE_FRAME, PARSE_SKIP, PARSE_MORE };

size_t frame_room(const struct frame_parser *parser)
{
	return sizeof(parser->data) - (parser->end - parser->start);
}

size_t frame_push(struct frame_parser *parser, const void *data, size_t size)
{
	size_t room = frame_room(parser);

	if (parser->start > 0) {
		memmove(parser->data, parser->data + parser->start, parser->end - parser->start);
		parser->end -= parser->start;
		parser->start = 0;
	}
	if (size > room)
		size = room;
	if (size > 0)
		memcpy(parser->data + parser->end, data, size);
	parser->end += size;
	return size;
}

/* Looks at the bytes at the start as if a frame began there. */
static enum parse_result parse(const uint8_t *data, size_t size, struct frame *frame)
{
	struct bytes_reader r = bytes_reader_init(data, size);
	uint32_t magic = bytes_le32(&r);
	uint32_t type = bytes_le32(&r);
	uint32_t length = bytes_le32(&r);
	uint32_t crc = bytes_le32(&r);
	const uint8_t *payload;

	if (r.bad) {
		/* Too few bytes to tell, unless those that are here already are no magic. */
		const uint32_t want = CHANNEL_MAGIC;
		size_t known = size < sizeof(want) ? size : sizeof(want);

		return memcmp(data, &want, known) == 0 ? PARSE_MORE : PARSE_SKIP;
	}
	if (magic != CHANNEL_MAGIC || length > CHANNEL_PAYLOAD_MAX)
		return PARSE_SKIP;
	payload = bytes_take(&r, length);
	if (payload == NULL)
		return PARSE_MORE;
	if (core_crc32(0, payload, length) != crc)
		return PARSE_SKIP;
	*frame = (struct frame){ .type = type, .size = length, .payload = payload };
	return PARSE_FRAME;
}

bool frame_next(struct frame_parser *parser, struct frame *frame)
{
	while (parser->start < parser->end) {
		switch (parse(parser->data + parser->start, parser->end - parser->start, frame)) {
		case PARSE_FRAME:
			parser->start += sizeof(struct channel_header) + frame->size;
			return true;
		case PARSE_SKIP:
			parser->start++;
			break;
		case PARSE_MORE:
			return false;
		}
	}
	return false;
}

struct channel_header frame_header(uint32_t type, const void *payload, size_t size)
{
	return (struct channel_header){
		.magic = CHANNEL_MAGIC,
		.type = type,
		.length = (uint32_t)size,
		.crc32 = core_crc32(0, payload, size),
	};
}
