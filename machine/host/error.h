/* SPDX-License-Identifier: MIT */
/* How the host process's parts say what went wrong: one line for whoever called the command. */
#ifndef SOCLE_MACHINE_HOST_ERROR_H
#define SOCLE_MACHINE_HOST_ERROR_H

#include <stdbool.h>

#define HOST_ERROR_TEXT 512

struct host_error {
	bool in_image; /* the IGVM file is to blame, and text says where in it */
	char text[HOST_ERROR_TEXT];
};

/* Fills error; always false, so that a function can end with it. */
__attribute__((format(printf, 2, 3))) bool host_fail(struct host_error *error, const char *format,
						     ...);

/* As host_fail(), for what is wrong with the IGVM file. */
__attribute__((format(printf, 2, 3))) bool host_fail_image(struct host_error *error,
							   const char *format, ...);

/* As host_fail(), and appends what OpenSSL says, if anything. Empties OpenSSL's queue. */
bool host_fail_crypto(struct host_error *error, const char *what);

#endif
