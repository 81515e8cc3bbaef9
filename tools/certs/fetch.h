/* SPDX-License-Identifier: MIT */
/* Fetching a small thing by HTTPS, from a server that may want to be asked again later. */
#ifndef SOCLE_TOOLS_CERTS_FETCH_H
#define SOCLE_TOOLS_CERTS_FETCH_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/host/file.h"

struct fetch_limits {
	/* A file of the CAs that a server's certificate may be by; NULL: the system's. */
	const char *authorities;
	unsigned int seconds; /* for one thing, with all that it was tried again */
};

/*
 * Fetches what url has, of at most max bytes, for file_free(): by tools/http/client.h, and HTTPS
 * alone. A server that is asked too often (429) or not ready (503), and says when to come again, is
 * asked again as far as the time allows. False with a line that says why.
 */
bool fetch_get(const char *url, const struct fetch_limits *limits, size_t max,
	       struct file_bytes *bytes, struct host_error *error);

#endif
