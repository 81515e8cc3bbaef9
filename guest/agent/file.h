/* SPDX-License-Identifier: MIT */
/* Whole files in one call. All return -errno on failure. */
#ifndef SOCLE_GUEST_AGENT_FILE_H
#define SOCLE_GUEST_AGENT_FILE_H

#include <stddef.h>
#include <sys/types.h>

#define FILE_PATH_MAX 512

/* FOLDER/NAME; -ENAMETOOLONG when that is longer. 0 otherwise. */
int file_path(char path[FILE_PATH_MAX], const char *folder, const char *name);

/* Reads a file of at most capacity bytes; -EFBIG when it is larger. Returns its size. */
ssize_t file_read(const char *path, void *to, size_t capacity);

/* Makes or replaces a file, readable by its owner only. */
int file_write(const char *path, const void *data, size_t size);

/* The same with FOLDER/NAME. */
int file_write_in(const char *folder, const char *name, const void *data, size_t size);

/* Writes to an existing file in one write(), as the attributes of configfs want it. */
int file_set(const char *path, const void *data, size_t size);

/* Writes all bytes to a descriptor. */
int file_write_all(int fd, const void *data, size_t size);

#endif
