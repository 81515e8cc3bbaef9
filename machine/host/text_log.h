/* SPDX-License-Identifier: MIT */
/* Cuts a stream of text into lines as it comes in, and keeps a copy of the stream in a file. */
#ifndef SOCLE_MACHINE_HOST_TEXT_LOG_H
#define SOCLE_MACHINE_HOST_TEXT_LOG_H

#include <stddef.h>
#include <stdio.h>

#define TEXT_LOG_LINE_MAX 1024 /* a longer line is handed on in pieces */

/* Takes one line, without its end, as printable ASCII (printable.h). */
typedef void (*text_log_line)(void *context, const char *line);

struct text_log {
	FILE *copy; /* written at once, byte for byte; may be NULL */
	text_log_line on_line;
	void *context;
	size_t length;
	char line[TEXT_LOG_LINE_MAX];
};

/* Takes the next size bytes of the stream. */
void text_log_write(struct text_log *log, const char *data, size_t size);

/* Hands on a last line that has no end. */
void text_log_flush(struct text_log *log);

#endif
