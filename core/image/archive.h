/* SPDX-License-Identifier: MIT */
/*
 * Reader of the archive: cpio in the "new ASCII" format (newc, magic 070701), as in the Linux
 * initramfs (Documentation/driver-api/early-userspace/buffer-format.rst). Nothing is copied. An
 * entry's name may be followed by further NULs up to its stated length: builders use them to bring
 * the file's bytes to a page boundary.
 */
#ifndef SOCLE_CORE_IMAGE_ARCHIVE_H
#define SOCLE_CORE_IMAGE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARCHIVE_HEADER_SIZE 110u
#define ARCHIVE_NAME_MAX 4352u /* a name with its padding: a page and some */
#define ARCHIVE_TRAILER "TRAILER!!!"

enum archive_result {
	ARCHIVE_ENTRY, /* *entry is filled */
	ARCHIVE_END,   /* the trailer was reached: there is nothing more */
	ARCHIVE_BAD,   /* malformed; every further call says so again */
};

struct archive {
	const uint8_t *data;
	size_t size;
	size_t pos;
	bool bad, ended;
};

struct archive_entry {
	const char *name; /* NUL-terminated, in the archive */
	uint32_t mode;	  /* as in stat(2) */
	const uint8_t *data;
	size_t size;
};

/* A reader over size bytes at data, which the caller keeps. An archive without trailer is bad. */
struct archive archive_init(const void *data, size_t size);

/* The next entry, of whatever kind. */
enum archive_result archive_next(struct archive *archive, struct archive_entry *entry);

/* True for a regular file. */
bool archive_is_file(const struct archive_entry *entry);

/*
 * Finds the regular file of that name in size bytes at data. Goes through the whole archive: a name
 * that is there twice, or a broken archive, gives ARCHIVE_BAD; none of that name, ARCHIVE_END.
 */
enum archive_result archive_find(const void *data, size_t size, const char *name,
				 struct archive_entry *entry);

#endif
