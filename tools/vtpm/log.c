/* SPDX-License-Identifier: MIT */
/* The log of the service's code (services/common/serve.h), here on standard error. */
#include <stdarg.h>
#include <stdio.h>

#include "services/common/serve.h"
#include "tools/cmd.h"

void serve_log(const char *line)
{
	cmd_error("%s", line);
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
