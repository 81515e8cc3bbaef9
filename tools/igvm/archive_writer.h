/* SPDX-License-Identifier: MIT */
/*
 * Writer of the measured archive: cpio "new ASCII" (newc). The same files give the same bytes:
 * entries are sorted by name, times and owners are 0, modes are 0555 for what may be executed and
 * 0444 for the rest. Every file's bytes start on 4 KiB, so that the monitor can map them in place:
 * the name's terminating NUL is followed by further NULs up to the stated name length, which cpio
 * programs read as the same name.
 */
#ifndef SOCLE_TOOLS_IGVM_ARCHIVE_WRITER_H
#define SOCLE_TOOLS_IGVM_ARCHIVE_WRITER_H

#include "core/base/host/error.h"
#include "core/base/host/file.h"

struct archive_writer_file {
	char *name; /* owned; relative, as in the archive */
	struct file_bytes bytes;
	bool executable;
};

struct archive_writer {
	struct archive_writer_file *files;
	size_t count;
};

/* Frees everything added; harmless on {0}, which is an empty archive. */
void archive_writer_free(struct archive_writer *writer);

/* Adds the file at path under name. */
bool archive_writer_add(struct archive_writer *writer, const char *name, const char *path,
			struct host_error *error);

/* Adds all regular files below a directory, named relative to it; other kinds are refused. */
bool archive_writer_add_tree(struct archive_writer *writer, const char *directory,
			     struct host_error *error);

/* Writes the archive to memory, which the caller frees with file_free(). */
bool archive_writer_finish(struct archive_writer *writer, struct file_bytes *archive,
			   struct host_error *error);

#endif
