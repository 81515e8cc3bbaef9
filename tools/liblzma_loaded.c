/* SPDX-License-Identifier: MIT */
/* What core/image/host/unlzma.c calls of liblzma, by its own names. */
#include <lzma.h>

#include "tools/liblzma.h"
#include "tools/load_library.h"

#define LIBRARY "liblzma.so.5"

static struct {
	lzma_ret (*alone_decoder)(lzma_stream *stream, uint64_t memory_max);
	lzma_ret (*code)(lzma_stream *stream, lzma_action action);
	void (*end)(lzma_stream *stream);
} library;

bool liblzma_load(struct host_error *error)
{
	const struct library_symbol symbols[] = {
		{ "lzma_alone_decoder", (void **)&library.alone_decoder },
		{ "lzma_code", (void **)&library.code },
		{ "lzma_end", (void **)&library.end },
	};

	return load_library(LIBRARY, symbols, sizeof(symbols) / sizeof(symbols[0]), error);
}

lzma_ret lzma_alone_decoder(lzma_stream *stream, uint64_t memory_max)
{
	return library.alone_decoder(stream, memory_max);
}

lzma_ret lzma_code(lzma_stream *stream, lzma_action action)
{
	return library.code(stream, action);
}

void lzma_end(lzma_stream *stream)
{
	library.end(stream);
}
