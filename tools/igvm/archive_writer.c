/* SPDX-License-Identifier: MIT */
#include "tools/igvm/archive_writer.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "abi/types.h"
#include "core/image/archive.h"

#define FILE_SIZE_MAX (16u << 20) /* more than that never fits Socle's region */
#define NAME_LENGTH_MAX 255u	  /* so that name and padding stay below ARCHIVE_NAME_MAX */
#define MODE_EXECUTABLE 0100555u
#define MODE_PLAIN 0100444u

_Static_assert(NAME_LENGTH_MAX + 1 + ABI_PAGE_SIZE <= ARCHIVE_NAME_MAX, "padded names fit");

void archive_writer_free(struct archive_writer *writer)
{
	for (size_t i = 0; i < writer->count; i++) {
		free(writer->files[i].name);
		file_free(&writer->files[i].bytes);
	}
	free(writer->files);
	*writer = (struct archive_writer){ 0 };
}

static bool name_ok(const char *name)
{
	return name[0] != '\0' && name[0] != '/' && strlen(name) <= NAME_LENGTH_MAX &&
	       strcmp(name, ARCHIVE_TRAILER) != 0;
}

static bool is_executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & S_IXUSR);
}

bool archive_writer_add(struct archive_writer *writer, const char *name, const char *path,
			struct host_error *error)
{
	struct archive_writer_file file = { .executable = is_executable(path) };
	struct archive_writer_file *files;
	struct host_error reason;

	if (!name_ok(name))
		return host_fail(error, "\"%s\" is no name for a file of the archive", name);
	if (!file_read(path, FILE_SIZE_MAX, &file.bytes, &reason))
		return host_fail(error, "%s: %s", path, reason.text);
	file.name = strdup(name);
	files = realloc(writer->files, (writer->count + 1) * sizeof(*files));
	if (files)
		writer->files = files;
	if (!files || !file.name) {
		free(file.name);
		file_free(&file.bytes);
		return host_fail(error, "out of memory");
	}
	files[writer->count++] = file;
	return true;
}

static bool add_directory(struct archive_writer *writer, const char *path, const char *prefix,
			  struct host_error *error);

/*
 * Adds what is at path, a file or a directory, under name. As deep as names of PATH_MAX bytes can
 * be: NOLINTBEGIN(misc-no-recursion).
 */
static bool add_node(struct archive_writer *writer, const char *path, const char *name,
		     struct host_error *error)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return host_fail(error, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return add_directory(writer, path, name, error);
	if (!S_ISREG(st.st_mode))
		return host_fail(error, "%s: neither a regular file nor a directory", path);
	return archive_writer_add(writer, name, path, error);
}

static bool add_entry(struct archive_writer *writer, const char *path, const char *prefix,
		      const char *entry, struct host_error *error)
{
	char child[PATH_MAX], name[PATH_MAX];

	if (strcmp(entry, ".") == 0 || strcmp(entry, "..") == 0)
		return true;
	if (snprintf(child, sizeof(child), "%s/%s", path, entry) >= (int)sizeof(child) ||
	    snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] ? "/" : "", entry) >=
		    (int)sizeof(name))
		return host_fail(error, "%s: the name is too long", path);
	return add_node(writer, child, name, error);
}

static bool add_directory(struct archive_writer *writer, const char *path, const char *prefix,
			  struct host_error *error)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	bool ok = true;

	if (!directory)
		return host_fail(error, "%s: %s", path, strerror(errno));
	while (ok && (entry = readdir(directory)))
		ok = add_entry(writer, path, prefix, entry->d_name, error);
	closedir(directory);
	return ok;
}
/* NOLINTEND(misc-no-recursion) */

bool archive_writer_add_tree(struct archive_writer *writer, const char *directory,
			     struct host_error *error)
{
	return add_directory(writer, directory, "", error);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct archive_writer_file *)a)->name,
		      ((const struct archive_writer_file *)b)->name);
}

/* The padded length of a name, its NUL counted, after which data at this offset are aligned. */
static size_t name_length(size_t offset, const char *name, size_t alignment)
{
	size_t end = offset + ARCHIVE_HEADER_SIZE + strlen(name) + 1;

	end = (end + alignment - 1) / alignment * alignment;
	return end - offset - ARCHIVE_HEADER_SIZE;
}

static size_t align4(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

static void put_header(uint8_t *at, unsigned int inode, unsigned int mode, size_t size,
		       size_t name_size)
{
	char text[ARCHIVE_HEADER_SIZE + 1];

	/*
	 * magic, ino, mode, uid, gid, nlink, mtime, filesize, four device numbers, namesize, check
	 */
	snprintf(text, sizeof(text), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		 inode, mode, 0, 0, 1, 0, (unsigned int)size, 0, 0, 0, 0, (unsigned int)name_size,
		 0);
	memcpy(at, text, ARCHIVE_HEADER_SIZE);
}

/* Goes through the archive; writes it when data is not NULL. Returns its size. */
static size_t put_archive(const struct archive_writer *writer, uint8_t *data)
{
	size_t offset = 0, length;

	for (size_t i = 0; i < writer->count; i++) {
		const struct archive_writer_file *file = &writer->files[i];

		length = name_length(offset, file->name, ABI_PAGE_SIZE);
		if (data) {
			put_header(data + offset, (unsigned int)i + 1,
				   file->executable ? MODE_EXECUTABLE : MODE_PLAIN,
				   file->bytes.size, length);
			memcpy(data + offset + ARCHIVE_HEADER_SIZE, file->name, strlen(file->name));
			memcpy(data + offset + ARCHIVE_HEADER_SIZE + length, file->bytes.data,
			       file->bytes.size);
		}
		offset += ARCHIVE_HEADER_SIZE + length + align4(file->bytes.size);
	}
	length = name_length(offset, ARCHIVE_TRAILER, 4);
	if (data) {
		put_header(data + offset, 0, 0, 0, sizeof(ARCHIVE_TRAILER));
		memcpy(data + offset + ARCHIVE_HEADER_SIZE, ARCHIVE_TRAILER,
		       sizeof(ARCHIVE_TRAILER));
	}
	return offset + ARCHIVE_HEADER_SIZE + length;
}

bool archive_writer_finish(struct archive_writer *writer, struct file_bytes *archive,
			   struct host_error *error)
{
	if (writer->count > 1)
		qsort(writer->files, writer->count, sizeof(writer->files[0]), compare_names);
	for (size_t i = 1; i < writer->count; i++) {
		if (strcmp(writer->files[i - 1].name, writer->files[i].name) == 0)
			return host_fail(error, "the archive would hold \"%s\" twice",
					 writer->files[i].name);
	}
	archive->size = put_archive(writer, NULL);
	archive->data = calloc(1, archive->size);
	if (!archive->data)
		return host_fail(error, "out of memory");
	put_archive(writer, archive->data);
	return true;
}
