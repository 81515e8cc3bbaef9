/* SPDX-License-Identifier: MIT */
/*
 * What a program is to a service manager: where it logs, who it is, and which sockets it was given.
 */
#ifndef SOCLE_TOOLS_VTPM_DAEMON_H
#define SOCLE_TOOLS_VTPM_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/host/error.h"

struct daemon {
	const char *pid_file, *log_file; /* NULL: there is none */
	bool background;
};

/* Has standard error go to the log, behind what is there. */
bool daemon_open_log(const struct daemon *daemon, struct host_error *error);

/*
 * Everything is ready: goes on in a process of its own, if that is wanted, and writes the process's
 * id to its file before the one that was called ends, with status 0.
 */
bool daemon_ready(const struct daemon *daemon, struct host_error *error);

/* Takes the file of the process's id away. */
void daemon_ends(const struct daemon *daemon);

/*
 * The listening stream sockets that a service manager started this process with (sd_listen_fds(3)),
 * at most most of them, into sockets: their number, 0 without any. False when they are of another
 * kind.
 */
bool daemon_sockets(int *sockets, size_t most, size_t *count, struct host_error *error);

#endif
