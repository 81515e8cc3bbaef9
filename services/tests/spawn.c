/* SPDX-License-Identifier: MIT */
#include "services/tests/spawn.h"

#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_FREE_FD 64 /* above every number that a grant names */

void spawn_channel(int ends[2])
{
	int size = 2 * SERVICE_MESSAGE_MAX; /* some of it is the kernel's own */

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		err(2, "socketpair");
	for (int i = 0; i < 2; i++)
		setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static _Noreturn void exec_service(const char *executable, const char *argument,
				   const struct spawn_grant *grants, size_t count, int requests)
{
	char *const argv[] = { (char *)executable, (char *)argument, NULL };
	char *const envp[] = { NULL };
	int high[8];

	/* First out of the way of all the numbers, then into place. */
	requests = fcntl(requests, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	for (size_t i = 0; i < count; i++)
		high[i] = fcntl(grants[i].fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	if (dup2(requests, SERVICE_FD_REQUESTS) < 0)
		_exit(126);
	for (size_t i = 0; i < count; i++) {
		if (dup2(high[i], grants[i].as) < 0)
			_exit(126);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execve(executable, argv, envp);
	_exit(127);
}

pid_t spawn_service(const char *executable, const char *argument, const struct spawn_grant *grants,
		    size_t count, int *channel)
{
	int ends[2];
	pid_t pid;

	if (count > 8)
		errx(2, "too many grants");
	spawn_channel(ends);
	pid = fork();
	if (pid < 0)
		err(2, "fork");
	if (pid == 0)
		exec_service(executable, argument, grants, count, ends[1]);
	close(ends[1]);
	*channel = ends[0];
	return pid;
}

int spawn_call(int channel, uint32_t op, const void *payload, size_t size, void *reply,
	       size_t *reply_size)
{
	static uint8_t message[SERVICE_MESSAGE_MAX];
	struct service_request request = { .op = op, .size = (uint32_t)size };
	struct service_reply header;
	ssize_t got;

	memcpy(message, &request, sizeof(request));
	if (size)
		memcpy(message + sizeof(request), payload, size);
	if (send(channel, message, sizeof(request) + size, MSG_NOSIGNAL) < 0)
		return -1;
	got = recv(channel, message, sizeof(message), 0);
	if (got < (ssize_t)sizeof(header))
		return -1;
	memcpy(&header, message, sizeof(header));
	if (header.size != (size_t)got - sizeof(header) || header.size > *reply_size)
		errx(2, "malformed reply: status %u, size %u, message %zd", header.status,
		     header.size, got);
	memcpy(reply, message + sizeof(header), header.size);
	*reply_size = header.size;
	return (int)header.status;
}
