/* SPDX-License-Identifier: MIT */
/* By liblzma, whose decoder of .lzma files this is. */
#include "core/image/host/unlzma.h"

#include <lzma.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/base/bytes.h"

/*
 * In front of the size of what is compressed: how, and the size of the dictionary (LZMA
 * specification).
 */
#define PROPERTIES_SIZE 5u
/* What the decoder may take, dictionary and all. */
#define MEMORY_MAX (128u << 20)

static bool decode(const void *data, size_t size, struct file_bytes *to)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_ret result;

	if (lzma_alone_decoder(&stream, MEMORY_MAX) != LZMA_OK)
		return false;
	stream.next_in = data;
	stream.avail_in = size;
	stream.next_out = to->data;
	stream.avail_out = to->size;
	result = lzma_code(&stream, LZMA_FINISH);
	lzma_end(&stream);
	return result == LZMA_STREAM_END && stream.avail_out == 0;
}

bool unlzma(const void *data, size_t size, size_t size_max, struct file_bytes *to,
	    struct host_error *error)
{
	struct bytes_reader head = bytes_reader_init(data, size);
	uint64_t unpacked;

	*to = (struct file_bytes){ 0 };
	bytes_take(&head, PROPERTIES_SIZE);
	unpacked = bytes_le64(&head);
	if (head.bad)
		return host_fail(error, "it is no whole LZMA file");
	if (unpacked == 0 || unpacked > size_max)
		return host_fail(error, "it is empty, does not say its length, or is too large");
	*to = (struct file_bytes){ .data = malloc(unpacked), .size = unpacked };
	if (!to->data)
		return host_fail(error, "there is no memory for it");
	if (decode(data, size, to))
		return true;
	file_free(to);
	return host_fail(error, "it is no whole LZMA file");
}
