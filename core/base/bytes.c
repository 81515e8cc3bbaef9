/* SPDX-License-Identifier: MIT */
#include "core/base/bytes.h"

#include <string.h>

struct bytes_reader bytes_reader_init(const void *data, size_t size)
{
	return (struct bytes_reader){ .data = data, .size = size };
}

size_t bytes_left(const struct bytes_reader *r)
{
	return r->bad ? 0 : r->size - r->pos;
}

bool bytes_complete(const struct bytes_reader *r)
{
	return !r->bad && r->pos == r->size;
}

const uint8_t *bytes_take(struct bytes_reader *r, size_t size)
{
	const uint8_t *at;

	if (r->bad || size > bytes_left(r)) {
		r->bad = true;
		return NULL;
	}
	at = r->data + r->pos;
	r->pos += size;
	return at;
}

bool bytes_copy(struct bytes_reader *r, void *to, size_t size)
{
	const uint8_t *from = bytes_take(r, size);

	if (!from) {
		memset(to, 0, size);
		return false;
	}
	memcpy(to, from, size);
	return true;
}

static uint64_t take_le(struct bytes_reader *r, size_t size)
{
	const uint8_t *at = bytes_take(r, size);
	uint64_t value = 0;

	for (size_t i = size; at && i > 0; i--)
		value = value << 8 | at[i - 1];
	return value;
}

static uint64_t take_be(struct bytes_reader *r, size_t size)
{
	const uint8_t *at = bytes_take(r, size);
	uint64_t value = 0;

	for (size_t i = 0; at && i < size; i++)
		value = value << 8 | at[i];
	return value;
}

uint8_t bytes_u8(struct bytes_reader *r)
{
	const uint8_t *at = bytes_take(r, 1);

	return at ? *at : 0;
}

uint16_t bytes_le16(struct bytes_reader *r)
{
	return (uint16_t)take_le(r, 2);
}

uint32_t bytes_le32(struct bytes_reader *r)
{
	return (uint32_t)take_le(r, 4);
}

uint64_t bytes_le64(struct bytes_reader *r)
{
	return take_le(r, 8);
}

uint16_t bytes_be16(struct bytes_reader *r)
{
	return (uint16_t)take_be(r, 2);
}

uint32_t bytes_be32(struct bytes_reader *r)
{
	return (uint32_t)take_be(r, 4);
}

uint64_t bytes_be64(struct bytes_reader *r)
{
	return take_be(r, 8);
}

struct bytes_writer bytes_writer_init(void *data, size_t room)
{
	return (struct bytes_writer){ .data = data, .room = room };
}

uint8_t *bytes_put_zeros(struct bytes_writer *w, size_t size)
{
	uint8_t *at = w->data + w->size;

	if (w->bad || size > w->room - w->size) {
		w->bad = true;
		return NULL;
	}
	memset(at, 0, size);
	w->size += size;
	return at;
}

void bytes_put(struct bytes_writer *w, const void *data, size_t size)
{
	uint8_t *at = bytes_put_zeros(w, size);

	if (at && size)
		memcpy(at, data, size);
}

void bytes_put_u8(struct bytes_writer *w, uint8_t value)
{
	bytes_put(w, &value, sizeof(value));
}

void bytes_put_be16(struct bytes_writer *w, uint16_t value)
{
	bytes_put_u8(w, (uint8_t)(value >> 8));
	bytes_put_u8(w, (uint8_t)value);
}

void bytes_put_be32(struct bytes_writer *w, uint32_t value)
{
	bytes_put_be16(w, (uint16_t)(value >> 16));
	bytes_put_be16(w, (uint16_t)value);
}

bool bytes_are_zero(const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

bool bytes_range_ok(uint64_t offset, uint64_t size, uint64_t limit)
{
	return offset <= limit && size <= limit - offset;
}
