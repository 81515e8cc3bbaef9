/* SPDX-License-Identifier: MIT */
/* Whole files, in and out. */
#ifndef SOCLE_CORE_BASE_HOST_FILE_H
#define SOCLE_CORE_BASE_HOST_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/host/error.h"

#define FILE_PATH_MAX 4096

/*
 * The path of what is called name in directory; false, after a line in error, when it is too long.
 */
bool file_path(char path[FILE_PATH_MAX], const char *directory, const char *name,
	       struct host_error *error);

struct file_bytes {
	uint8_t *data; /* never NULL after a successful read */
	size_t size;
};

/* Reads a regular file of at most max bytes; the caller ends with file_free(). */
bool file_read(const char *path, size_t max, struct file_bytes *bytes, struct host_error *error);

/* The same of standard input, to its end. */
bool file_read_stdin(size_t max, struct file_bytes *bytes, struct host_error *error);

/* Frees what these gave; harmless on {0}. */
void file_free(struct file_bytes *bytes);

/* Writes a file, whole or not at all: under another name first, which is then given this one. */
bool file_write(const char *path, const void *data, size_t size, struct host_error *error);

/*
 * Makes a file that is not there yet, with this mode at most, whole and on the disk, or not at all.
 * False, with a line that says what is wrong in error.
 */
bool file_write_new(const char *path, unsigned int mode, const void *data, size_t size,
		    struct host_error *error);

#endif
