/* SPDX-License-Identifier: MIT */
#include "core/host/result.h"

#include <stdarg.h>
#include <stdio.h>

bool build_fail(struct build_error *error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, args);
	va_end(args);
	return false;
}
