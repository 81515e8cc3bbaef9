/* SPDX-License-Identifier: MIT */
#include "core/base/host/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES 100
#define LOCK_PAUSE_NS 10000000 /* a second in all */

static int open_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)] = ".";

	if (slash) /* with it, for the root's sake */
		memcpy(folder, path, (size_t)(slash - path) + 1);
	if (slash)
		folder[slash - path + 1] = '\0';
	return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The folder, locked; -1: not to be had. Whoever may read a folder can hold its lock for ever. */
static int lock_folder(const char *path)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	int folder = open_folder(path);

	for (unsigned int i = 0; folder >= 0 && i < LOCK_TRIES; i++) {
		if (flock(folder, LOCK_EX | LOCK_NB) == 0)
			return folder;
		if (errno != EWOULDBLOCK)
			break;
		nanosleep(&pause, NULL);
	}
	if (folder >= 0)
		close(folder);
	return -1;
}

static void unlock_folder(int folder)
{
	if (folder >= 0)
		close(folder);
}

/*
 * connect() says the same of a file that is no socket at all, so what it is has been asked before.
 * Who has no room for one more connection listens, too, and is not waited for: EAGAIN.
 */
static bool nobody_listens(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 &&
		       errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return refused;
}

static bool remove_stale(const struct sockaddr_un *at)
{
	struct stat st;

	return lstat(at->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && nobody_listens(at) &&
	       unlink(at->sun_path) == 0;
}

static bool bind_name(int fd, const struct sockaddr_un *at, bool locked)
{
	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) == 0)
		return true;
	if (errno != EADDRINUSE)
		return false;
	if (locked && remove_stale(at))
		return bind(fd, (const struct sockaddr *)at, sizeof(*at)) == 0;
	errno = EADDRINUSE;
	return false;
}

static bool name_file(const char *path, struct unix_socket_file *file)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return false;
	*file = (struct unix_socket_file){ .device = st.st_dev, .inode = st.st_ino };
	return true;
}

static bool stands_for(const char *path, const struct unix_socket_file *file)
{
	struct unix_socket_file now;

	return name_file(path, &now) && now.device == file->device && now.inode == file->inode;
}

/* Listens, if the name is its own still: one that listens loses it to nobody. */
static bool listen_by_name(int fd, const char *path, int backlog,
			   const struct unix_socket_file *file)
{
	int saved;

	if (listen(fd, backlog) == 0) {
		if (stands_for(path, file))
			return true;
		errno = EADDRINUSE;
		return false;
	}
	saved = errno;
	if (stands_for(path, file))
		unlink(path);
	errno = saved;
	return false;
}

static int listen_at(const struct sockaddr_un *at, int flags, int backlog, bool locked,
		     struct unix_socket_file *file)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), saved;

	if (fd >= 0 && bind_name(fd, at, locked) && name_file(at->sun_path, file) &&
	    listen_by_name(fd, at->sun_path, backlog, file))
		return fd;
	saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

int unix_socket_listen(const char *path, int flags, int backlog, struct unix_socket_file *file)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int folder, fd, saved;

	if (strlen(path) >= sizeof(at.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(at.sun_path, path, strlen(path));
	folder = lock_folder(path);
	fd = listen_at(&at, flags, backlog, folder >= 0, file);
	saved = errno;
	unlock_folder(folder);
	errno = saved;
	return fd;
}

void unix_socket_remove(const char *path, const struct unix_socket_file *file)
{
	int folder = lock_folder(path);

	if (stands_for(path, file))
		unlink(path);
	unlock_folder(folder);
}
