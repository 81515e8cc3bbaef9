/* SPDX-License-Identifier: MIT */
#include "core/base/host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_path(char path[FILE_PATH_MAX], const char *directory, const char *name,
	       struct host_error *error)
{
	if (snprintf(path, FILE_PATH_MAX, "%s/%s", directory, name) >= FILE_PATH_MAX)
		return host_fail(error, "the directory's name is too long");
	return true;
}

static bool read_all(int fd, uint8_t *to, size_t size)
{
	while (size > 0) {
		ssize_t got = read(fd, to, size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		to += got;
		size -= (size_t)got;
	}
	return true;
}

static bool read_open_file(int fd, size_t max, struct file_bytes *bytes, struct host_error *error)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return host_fail(error, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return host_fail(error, "not a regular file");
	if ((uint64_t)st.st_size > max)
		return host_fail(error, "%llu bytes are more than the %llu that can be used",
				 (unsigned long long)st.st_size, (unsigned long long)max);
	bytes->size = (size_t)st.st_size;
	bytes->data = malloc(bytes->size + 1);
	if (!bytes->data)
		return host_fail(error, "out of memory");
	if (!read_all(fd, bytes->data, bytes->size)) {
		file_free(bytes);
		return host_fail(error, "cannot read all of the file");
	}
	return true;
}

bool file_read(const char *path, size_t max, struct file_bytes *bytes, struct host_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool ok;

	*bytes = (struct file_bytes){ 0 };
	if (fd < 0)
		return host_fail(error, "%s", strerror(errno));
	ok = read_open_file(fd, max, bytes, error);
	close(fd);
	return ok;
}

bool file_read_stdin(size_t max, struct file_bytes *bytes, struct host_error *error)
{
	ssize_t got = 1;

	*bytes = (struct file_bytes){ .data = malloc(max + 1) };
	if (!bytes->data)
		return host_fail(error, "out of memory");
	while (got > 0 && bytes->size <= max) {
		got = read(STDIN_FILENO, bytes->data + bytes->size, max + 1 - bytes->size);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			bytes->size += (size_t)got;
	}
	if (got < 0)
		host_fail(error, "%s", strerror(errno));
	else if (bytes->size > max)
		host_fail(error, "more than the %zu bytes that can be used", max);
	else
		return true;
	file_free(bytes);
	return false;
}

void file_free(struct file_bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct file_bytes){ 0 };
}

static bool write_stream(FILE *stream, const void *data, size_t size)
{
	bool ok = fwrite(data, 1, size, stream) == size;

	return fclose(stream) == 0 && ok;
}

bool file_write(const char *path, const void *data, size_t size, struct host_error *error)
{
	char temporary[FILE_PATH_MAX];
	FILE *stream;

	if (snprintf(temporary, sizeof(temporary), "%s.part", path) >= (int)sizeof(temporary))
		return host_fail(error, "the file name is too long");
	stream = fopen(temporary, "wbe");
	if (!stream)
		return host_fail(error, "%s", strerror(errno));
	if (!write_stream(stream, data, size) || rename(temporary, path) != 0) {
		host_fail(error, "cannot write: %s", strerror(errno));
		unlink(temporary);
		return false;
	}
	return true;
}

bool file_write_new(const char *path, unsigned int mode, const void *data, size_t size,
		    struct host_error *error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
	bool ok;

	if (fd < 0)
		return host_fail(error, "%s", strerror(errno));
	errno = 0;
	ok = write(fd, data, size) == (ssize_t)size && fsync(fd) == 0;
	if (close(fd) == 0 && ok)
		return true;
	host_fail(error, "cannot write it: %s", errno ? strerror(errno) : "it is cut short");
	unlink(path);
	return false;
}
