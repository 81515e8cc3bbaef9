/* SPDX-License-Identifier: MIT */
#include "guest/agent/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

int file_path(char path[FILE_PATH_MAX], const char *folder, const char *name)
{
	int length = snprintf(path, FILE_PATH_MAX, "%s/%s", folder, name);

	return length > 0 && length < FILE_PATH_MAX ? 0 : -ENAMETOOLONG;
}

static ssize_t read_some(int fd, void *to, size_t size)
{
	ssize_t got;

	do {
		got = read(fd, to, size);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

static ssize_t read_to_end(int fd, uint8_t *to, size_t capacity)
{
	size_t size = 0;
	uint8_t extra;
	ssize_t got;

	while (size < capacity) {
		got = read_some(fd, to + size, capacity - size);
		if (got <= 0)
			return got < 0 ? got : (ssize_t)size;
		size += (size_t)got;
	}
	got = read_some(fd, &extra, 1);
	if (got != 0)
		return got < 0 ? got : -EFBIG;
	return (ssize_t)size;
}

ssize_t file_read(const char *path, void *to, size_t capacity)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	if (fd < 0)
		return -errno;
	size = read_to_end(fd, to, capacity);
	close(fd);
	return size;
}

int file_write_all(int fd, const void *data, size_t size)
{
	const uint8_t *next = data;
	ssize_t put;

	while (size > 0) {
		put = write(fd, next, size);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		next += put;
		size -= (size_t)put;
	}
	return 0;
}

int file_write(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return -errno;
	rc = file_write_all(fd, data, size);
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	return rc;
}

int file_write_in(const char *folder, const char *name, const void *data, size_t size)
{
	char path[FILE_PATH_MAX];
	int rc = file_path(path, folder, name);

	return rc == 0 ? file_write(path, data, size) : rc;
}

int file_set(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t put;
	int rc = 0;

	if (fd < 0)
		return -errno;
	put = write(fd, data, size);
	if (put < 0)
		rc = -errno;
	else if ((size_t)put != size)
		rc = -EIO;
	/* configfs takes a binary attribute when it is closed, and only then says no. */
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	return rc;
}
