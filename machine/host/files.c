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
