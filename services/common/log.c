/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/common/serve.h"

void serve_log(const char *line)
{
	char text[160];
	size_t length = strnlen(line, sizeof(text) - 1);
	ssize_t put;

	memcpy(text, line, length);
	text[length] = '\n';
	put = write(SERVICE_FD_LOG, text, length + 1);
	(void)put; /* a log that nobody granted is no error */
}

void serve_logf(const char *format, ...)
{
	char line[160];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	serve_log(line);
}
