/* SPDX-License-Identifier: MIT */
#include "tools/vtpm/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/host/file.h"
#include "core/base/number.h"

#define FIRST_SOCKET 3 /* SD_LISTEN_FDS_START */
#define PID_TEXT_SIZE 24

bool daemon_open_log(const struct daemon *daemon, struct host_error *error)
{
	int fd;

	if (!daemon->log_file)
		return true;
	fd = open(daemon->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		return host_fail(error, "%s: %s", daemon->log_file, strerror(errno));
	close(fd);
	return true;
}

static bool write_pid(const struct daemon *daemon, pid_t pid, struct host_error *error)
{
	char text[PID_TEXT_SIZE];
	int length = snprintf(text, sizeof(text), "%ld\n", (long)pid);
	struct host_error reason;

	if (!daemon->pid_file)
		return true;
	return file_write(daemon->pid_file, text, (size_t)length, &reason) ||
	       host_fail(error, "%s: %s", daemon->pid_file, reason.text);
}

/* Nobody holds on to the terminal, or waits for the end of what was to be read of us. */
static bool leave_terminal(const struct daemon *daemon, struct host_error *error)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool ok = null >= 0 && setsid() >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
		  dup2(null, STDOUT_FILENO) >= 0 &&
		  (daemon->log_file || dup2(null, STDERR_FILENO) >= 0);

	if (null >= 0)
		close(null);
	return ok || host_fail(error, "cannot leave the terminal: %s", strerror(errno));
}

/* The lock on the state's directory and all sockets are the child's as well. */
static bool go_to_background(const struct daemon *daemon, struct host_error *error)
{
	pid_t child = fork();

	if (child < 0)
		return host_fail(error, "fork: %s", strerror(errno));
	if (child == 0)
		return leave_terminal(daemon, error);
	if (write_pid(daemon, child, error))
		_exit(0);
	kill(child, SIGTERM); /* it ends in order: server.c waits for that signal */
	fprintf(stderr, "socle: vtpm: %s\n", error->text);
	_exit(1);
}

bool daemon_ready(const struct daemon *daemon, struct host_error *error)
{
	if (daemon->background)
		return go_to_background(daemon, error);
	return write_pid(daemon, getpid(), error);
}

void daemon_ends(const struct daemon *daemon)
{
	if (daemon->pid_file)
		unlink(daemon->pid_file);
}

static uint64_t number_of(const char *name)
{
	const char *text = getenv(name);
	uint64_t number;

	return text && number_read(text, strlen(text), NUMBER_DECIMAL, 0, INT32_MAX, &number)
		       ? number
		       : 0;
}

static bool listens(int fd)
{
	int type = 0, listening = 0;
	socklen_t size = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM)
		return false;
	size = sizeof(int);
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening &&
	       fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
	       fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0;
}

bool daemon_sockets(int *sockets, size_t most, size_t *count, struct host_error *error)
{
	uint64_t given = number_of("LISTEN_PID") == (uint64_t)getpid() ? number_of("LISTEN_FDS")
								       : 0;

	*count = 0;
	if (given > most)
		return host_fail(error, "%zu sockets were passed, more than %zu", (size_t)given,
				 most);
	for (; *count < given; (*count)++) {
		sockets[*count] = FIRST_SOCKET + (int)*count;
		if (!listens(sockets[*count]))
			return host_fail(error, "descriptor %d is no listening stream socket",
					 sockets[*count]);
	}
	return true;
}
