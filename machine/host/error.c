/* SPDX-License-Identifier: MIT */
#include "machine/host/error.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

static bool fail(struct host_error *error, bool in_image, const char *format, va_list args)
{
	error->in_image = in_image;
	vsnprintf(error->text, sizeof(error->text), format, args);
	return false;
}

bool host_fail(struct host_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail(error, false, format, args);
	va_end(args);
	return false;
}

bool host_fail_image(struct host_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail(error, true, format, args);
	va_end(args);
	return false;
}

bool host_fail_crypto(struct host_error *error, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return host_fail(error, "%s: %s", what, reason ? reason : "OpenSSL failed");
}
