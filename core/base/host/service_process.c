/* SPDX-License-Identifier: MIT */
#include "core/base/host/service_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FREE_FD 64 /* above every number that a grant names */

bool service_process_channel(int ends[2])
{
	int size = SERVICE_MESSAGE_MAX;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return false;
	for (int i = 0; i < 2; i++)
		setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return true;
}

static _Noreturn void exec_service(const char *executable, const char *argument,
				   const struct service_grant *grants, size_t count, int requests)
{
	char *const argv[] = { (char *)executable, (char *)argument, NULL };
	char *const envp[] = { NULL };
	int high[SERVICE_GRANTS_MAX];

	/* First to numbers that no grant names, then into place. */
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

bool service_process_start(struct service_process *process, const char *executable,
			   const char *argument, const struct service_grant *grants, size_t count,
			   struct host_error *error)
{
	int ends[2];

	*process = (struct service_process){ .pid = -1, .channel = -1 };
	if (count > SERVICE_GRANTS_MAX)
		return host_fail(error, "too many grants");
	if (!service_process_channel(ends))
		return host_fail(error, "no channel: %s", strerror(errno));
	process->pid = fork();
	if (process->pid == 0)
		exec_service(executable, argument, grants, count, ends[1]);
	close(ends[1]);
	if (process->pid > 0) {
		process->channel = ends[0];
		return true;
	}
	close(ends[0]);
	return host_fail(error, "no process: %s", strerror(errno));
}

void service_process_stop(struct service_process *process)
{
	if (process->pid > 0) {
		kill(process->pid, SIGKILL);
		waitpid(process->pid, NULL, 0);
	}
	if (process->channel >= 0)
		close(process->channel);
	*process = (struct service_process){ .pid = -1, .channel = -1 };
}

static bool send_request(int channel, uint32_t op, const void *payload, size_t size)
{
	struct service_request header = { .op = op, .size = (uint32_t)size };
	struct iovec parts[] = { { &header, sizeof(header) }, { (void *)payload, size } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = size ? 2 : 1 };

	return size <= SERVICE_MESSAGE_MAX - sizeof(header) &&
	       sendmsg(channel, &message, MSG_NOSIGNAL) == (ssize_t)(sizeof(header) + size);
}

bool service_process_call(int channel, uint32_t op, const void *payload, size_t payload_size,
			  enum service_status *status, void *reply, size_t *size)
{
	struct service_reply header;
	struct iovec parts[] = { { &header, sizeof(header) }, { reply, *size } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t got;

	if (!send_request(channel, op, payload, payload_size))
		return false;
	do
		got = recvmsg(channel, &message, 0);
	while (got < 0 && errno == EINTR);
	if (got < (ssize_t)sizeof(header) || message.msg_flags & MSG_TRUNC ||
	    header.size != (size_t)got - sizeof(header))
		return false;
	*size = header.size;
	*status = header.status;
	return true;
}
