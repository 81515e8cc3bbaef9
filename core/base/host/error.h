/* SPDX-License-Identifier: MIT */
/* How hosted parts say what went wrong: one line for whoever called the command. */
#ifndef SOCLE_CORE_BASE_HOST_ERROR_H
#define SOCLE_CORE_BASE_HOST_ERROR_H

#include <stdbool.h>

struct host_error {
	char text[512];
};

/* Writes the line, cut where it is too long. Returns false, so that a function can end with it. */
__attribute__((format(printf, 2, 3))) bool host_fail(struct host_error *error, const char *format,
						     ...);

/* As host_fail(), and appends what OpenSSL says, if anything. Empties OpenSSL's queue. */
bool host_fail_crypto(struct host_error *error, const char *what);

#endif
