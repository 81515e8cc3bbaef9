/* SPDX-License-Identifier: MIT */
#include "machine/host/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *files_path(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return NULL;
	return path;
}

static bool make_one(const char *dir, struct host_error *error)
{
	struct stat st;

	if (mkdir(dir, 0777) == 0)
		return true;
	if (errno == EEXIST && stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
		return true;
	return host_fail(error, "cannot make folder %s: %s", dir,
			 strerror(errno == EEXIST ? ENOTDIR : errno));
}

bool files_make_dir(const char *dir, struct host_error *error)
{
	char *path = strdup(dir);
	bool ok = path && *path;

	if (!ok)
		host_fail(error, "cannot make a folder without a name");
	for (char *slash = path ? strchr(path + 1, '/') : NULL; ok && slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		ok = make_one(path, error);
		*slash = '/';
	}
	ok = ok && make_one(path, error);
	free(path);
	return ok;
}

FILE *files_create(const char *dir, const char *name, bool secret, struct host_error *error)
{
	char *path = files_path(dir, name);
	FILE *f = NULL;
	int fd = -1;

	if (path) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, secret ? 0600 : 0666);
		f = fd >= 0 ? fdopen(fd, "w") : NULL;
	}
	if (!f) {
		host_fail(error, "cannot create %s/%s: %s", dir, name, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	free(path);
	return f;
}

bool files_close(FILE *f, const char *name, struct host_error *error)
{
	bool bad = ferror(f) != 0;

	if (fclose(f) != 0 || bad)
		return host_fail(error, "cannot write %s: %s", name, strerror(errno));
	return true;
}

bool files_rename(const char *dir, const char *from, const char *to, struct host_error *error)
{
	char *old = files_path(dir, from);
	char *new = files_path(dir, to);
	bool ok = old && new &&rename(old, new) == 0;

	if (!ok)
		host_fail(error, "cannot write %s/%s: %s", dir, to, strerror(errno));
	free(old);
	free(new);
	return ok;
}

static uint8_t *read_open_file(int fd, const char *path, size_t max, size_t *size,
			       struct host_error *error)
{
	uint8_t *data;
	struct stat st;
	size_t got = 0;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		host_fail(error, "%s is not a regular file", path);
		return NULL;
	}
	if ((uint64_t)st.st_size > max) {
		host_fail(error, "%s has more than %zu bytes", path, max);
		return NULL;
	}
	data = malloc((size_t)st.st_size + 1);
	while (data && got < (size_t)st.st_size) {
		ssize_t n = read(fd, data + got, (size_t)st.st_size - got);

		if (n <= 0 && !(n < 0 && errno == EINTR))
			break;
		got += n > 0 ? (size_t)n : 0;
	}
	if (!data || got != (size_t)st.st_size) {
		host_fail(error, "cannot read all of %s", path);
		free(data);
		return NULL;
	}
	*size = got;
	return data;
}

uint8_t *files_read(const char *path, size_t max, size_t *size, struct host_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *data;

	if (fd < 0) {
		host_fail(error, "cannot open %s: %s", path, strerror(errno));
		return NULL;
	}
	data = read_open_file(fd, path, max, size, error);
	close(fd);
	return data;
}
