/* SPDX-License-Identifier: MIT */
#include "core/base/frame.h"

#include <string.h>

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
static enum parse_result parse(const struct frame_kind *kind, const uint8_t *data, size_t size,
			       struct frame *frame)
{
	size_t known = size < sizeof(kind->magic) ? size : sizeof(kind->magic);
	struct frame_header header;

	if (memcmp(data, &kind->magic, known) != 0)
		return PARSE_SKIP;
	if (size < sizeof(header))
		return PARSE_MORE;
	memcpy(&header, data, sizeof(header));
	if (!frame_header_ok(kind, &header))
		return PARSE_SKIP;
	data += sizeof(header);
	if (size - sizeof(header) < header.length)
		return PARSE_MORE;
	if (!frame_payload_ok(&header, data))
		return PARSE_SKIP;
	*frame = (struct frame){ .type = header.type, .size = header.length, .payload = data };
	return PARSE_FRAME;
}

bool frame_next(struct frame_parser *parser, const struct frame_kind *kind, struct frame *frame)
{
	while (parser->start < parser->end) {
		switch (parse(kind, parser->data + parser->start, parser->end - parser->start,
			      frame)) {
		case PARSE_FRAME:
			parser->start += sizeof(struct frame_header) + frame->size;
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

struct frame_header frame_header(uint32_t magic, uint32_t type, const void *payload, size_t size)
{
	return (struct frame_header){
		.magic = magic,
		.type = type,
		.length = (uint32_t)size,
		.crc32 = core_crc32(0, payload, size),
	};
}

bool frame_header_ok(const struct frame_kind *kind, const struct frame_header *header)
{
	return header->magic == kind->magic && header->length <= kind->payload_max;
}

bool frame_payload_ok(const struct frame_header *header, const void *payload)
{
	return core_crc32(0, payload, header->length) == header->crc32;
}
