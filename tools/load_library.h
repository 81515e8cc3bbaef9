/* SPDX-License-Identifier: MIT */
/*
 * Libraries that few subcommands need, and that bring dozens of others: they are loaded by who uses
 * them, so that nobody else waits for them at the start.
 */
#ifndef SOCLE_TOOLS_LOAD_LIBRARY_H
#define SOCLE_TOOLS_LOAD_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/host/file.h"

struct library_symbol {
	const char *name;
	void **to; /* a pointer to a function */
};

/*
 * Loads the library of this soname, and finds symbols in it. It stays loaded until the process
 * ends: OpenSSL may have become its own to end. False with a line that says what is missing.
 */
bool load_library(const char *soname, const struct library_symbol *symbols, size_t count,
		  struct host_error *error);

#endif
