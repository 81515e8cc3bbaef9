/* SPDX-License-Identifier: MIT */
/* Unix sockets by their names. */
#ifndef SOCLE_CORE_BASE_HOST_UNIX_SOCKET_H
#define SOCLE_CORE_BASE_HOST_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

/* Which file a name stood for: what has the name later may be another one. */
struct unix_socket_file {
	dev_t device;
	ino_t inode;
};

/*
 * A socket that listens at path: its descriptor, close-on-exec, with flags (SOCK_NONBLOCK or 0), or
 * -1 and errno. A server that has ended leaves its socket behind; one on which nobody listens any
 * more is replaced. Whatever else has the name stays, and that is EADDRINUSE.
 *
 * Of servers that start at once on one name one gets it, for each holds its folder's lock (flock),
 * from the look at what is there until it listens, and makes no file for it. Who cannot have the
 * lock within a second, or may not read the folder, replaces nothing. It takes a name that is free,
 * but one who has the lock may replace it until it listens: that is EADDRINUSE, where the name has
 * changed between its look at the file and listen(). In the few instructions between bind() and
 * that look it is not seen: it takes the other's file for its own, and nobody comes to it.
 */
int unix_socket_listen(const char *path, int flags, int backlog, struct unix_socket_file *file);

/* Removes the name, if it still stands for that file. */
void unix_socket_remove(const char *path, const struct unix_socket_file *file);

#endif
