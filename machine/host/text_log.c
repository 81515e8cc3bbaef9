/* SPDX-License-Identifier: MIT */
#include "machine/host/text_log.h"

#include "machine/host/printable.h"

void text_log_flush(struct text_log *log)
{
	if (log->length == 0)
		return;
	log->line[log->length] = '\0';
	log->length = 0;
	make_printable(log->line);
	log->on_line(log->context, log->line);
}

static void put(struct text_log *log, char c)
{
	if (c == '\n') {
		text_log_flush(log);
		return;
	}
	if (c == '\r' || c == '\0')
		return;
	log->line[log->length++] = c;
	if (log->length == sizeof(log->line) - 1)
		text_log_flush(log);
}

void text_log_write(struct text_log *log, const char *data, size_t size)
{
	if (log->copy) {
		/* A full disk must not end the machine. */
		(void)fwrite(data, 1, size, log->copy);
		fflush(log->copy);
	}
	for (size_t i = 0; i < size; i++)
		put(log, data[i]);
}
