/* SPDX-License-Identifier: MIT */
/* Folders, and files in them, of the host process. Whole files: core/base/host/file.h. */
#ifndef SOCLE_MACHINE_HOST_FILES_H
#define SOCLE_MACHINE_HOST_FILES_H

#include <stdbool.h>
#include <stdio.h>

#include "core/base/host/error.h"

/* "DIR/NAME" in a new string, which the caller frees. NULL when out of memory. */
char *files_path(const char *dir, const char *name);

/* Makes dir and what is missing above it. */
bool files_make_dir(const char *dir, struct host_error *error);

/* A new file for writing, mode 0600 if secret, else 0666 less the umask. NULL on failure. */
FILE *files_create(const char *dir, const char *name, bool secret, struct host_error *error);

/* Flushes and closes f; false when anything written to it was lost. */
bool files_close(FILE *f, const char *name, struct host_error *error);

#endif
