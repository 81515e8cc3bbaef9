/* SPDX-License-Identifier: MIT */
#include "core/base/host/error.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

bool host_fail(struct host_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return false;
}

bool host_fail_crypto(struct host_error *error, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return host_fail(error, "%s: %s", what, reason ? reason : "OpenSSL failed");
}
