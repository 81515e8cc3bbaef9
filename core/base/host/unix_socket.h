/* SPDX-License-Identifier: MIT */
/* Unix sockets by their names. */
#ifndef SOCLE_CORE_BASE_HOST_UNIX_SOCKET_H
#define SOCLE_CORE_BASE_HOST_UNIX_SOCKET_H

#include <stdbool.h>

/*
 * A server that has ended leaves its socket behind, and bind() would fail: removes it, if nobody
 * listens on it any more. Whatever else has the name stays. Whether it was removed.
 */
bool unix_socket_remove_stale(const char *path);

#endif
