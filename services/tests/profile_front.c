/* SPDX-License-Identifier: MIT */
/*
 * A vtpm service whose host the test plays, behind a socket, for tpm2-tools and scripts.
 *
 *	profile_front VTPM PROFILE NAME SOCKET	serves until its standard input ends
 *	profile_front --tcti SOCKET		relays TPM commands, as tpm2-tss's "cmd" wants
 *	profile_front --call SOCKET OP HEX	one request of abi/service.h; its reply on stdout
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "services/tests/played_host.h"
#include "services/tests/spawn.h"

#define ABOUT sizeof(struct vtpm_response)

static uint8_t message[SERVICE_MESSAGE_MAX];

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(at.sun_path))
		errx(2, "%s: too long", path);
	strcpy(at.sun_path, path);
	return at;
}

/* ---- The clients' side: a message is the operation and its payload ---- */

static int connect_to(const char *path)
{
	struct sockaddr_un at = address(path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)))
		err(2, "%s", path);
	return fd;
}

/* The reply's payload is in message. */
static size_t ask(int fd, uint32_t op, size_t size)
{
	ssize_t got;

	memmove(message + 4, message, size);
	memcpy(message, &op, sizeof(op));
	if (send(fd, message, 4 + size, MSG_NOSIGNAL) != (ssize_t)(4 + size))
		err(2, "send");
	got = recv(fd, message, sizeof(message), 0);
	if (got < 0)
		err(2, "recv");
	return (size_t)got;
}

static int relay(const char *path)
{
	int fd = connect_to(path);

	memset(message, 0, 4); /* locality 0 */
	while (fread(message + 4, 1, 10, stdin) == 10) {
		size_t size = (size_t)(message[8] << 8 | message[9]);

		if (size < 10 || size > VTPM_COMMAND_MAX ||
		    fread(message + 14, 1, size - 10, stdin) != size - 10)
			errx(2, "a command is cut short");
		size = ask(fd, VTPM_OP_COMMAND, 4 + size);
		if (size <= ABOUT ||
		    fwrite(message + ABOUT, 1, size - ABOUT, stdout) != size - ABOUT ||
		    fflush(stdout) != 0)
			errx(2, "the response cannot be written");
		memset(message, 0, 4);
	}
	return 0;
}

static int call(const char *path, const char *op, const char *hex)
{
	size_t size = strlen(hex) / 2;
	unsigned int byte;

	if (size > sizeof(message) - 4)
		errx(2, "too long");
	for (size_t i = 0; i < size; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			errx(2, "no hexadecimal");
		message[i] = (uint8_t)byte;
	}
	size = ask(connect_to(path), (uint32_t)atoi(op), size);
	return fwrite(message, 1, size, stdout) != size;
}

/* ---- The server's side ---- */

static int start(const char *vtpm, const char *profile, const char *name)
{
	struct played_host host;
	int channel;

	played_host_open(&host, HONEST);
	struct spawn_grant grants[] = { { open(profile, O_RDONLY | O_CLOEXEC), 6 },
					{ STDERR_FILENO, SERVICE_FD_LOG },
					{ host.vtpm_host_channel, 4 },
					{ host.vtpm_attest, 5 } };
	uint8_t request[8] = { 0 };

	spawn_service(vtpm, NULL, grants, 4, &channel);
	played_host_gave(&host);
	if (send(channel, request, sizeof(request), MSG_NOSIGNAL) != sizeof(request) ||
	    !played_host_play(&host, name, channel) ||
	    recv(channel, request, sizeof(request), 0) != sizeof(request))
		errx(1, "the vTPM does not start");
	return channel;
}

/* As the monitor does before its guest gets the response (monitor/protocol/evidence.c). */
static void renew_evidence(int vtpm)
{
	uint8_t request[2048], reply[PLAYED_REPLY_MAX], nothing[8];
	size_t size = sizeof(request), none = sizeof(nothing);

	if (spawn_call(vtpm, VTPM_OP_EVIDENCE_OF, NULL, 0, request, &size) != SERVICE_OK)
		return;
	size = played_host_report(ATTEST_OP_RUNTIME_DATA, request, size, reply);
	if (size)
		spawn_call(vtpm, VTPM_OP_EVIDENCE, reply, size, nothing, &none);
}

/* One request of a client; false when it has gone. */
static bool serve_one(int client, int vtpm)
{
	static uint8_t reply[SERVICE_MESSAGE_MAX];
	size_t size = sizeof(reply);
	ssize_t got = recv(client, message, sizeof(message), 0);
	uint32_t op;

	if (got < 4)
		return false;
	memcpy(&op, message, sizeof(op));
	if (spawn_call(vtpm, op, message + 4, (size_t)got - 4, reply, &size) != SERVICE_OK)
		size = 0;
	if (op == VTPM_OP_COMMAND && size && reply[0] & VTPM_EVIDENCE_ASKED)
		renew_evidence(vtpm);
	return send(client, reply, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static int serve(int vtpm, const char *path)
{
	struct sockaddr_un at = address(path);
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0),
				  .events = POLLIN } };

	if (fds[1].fd < 0 || bind(fds[1].fd, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(fds[1].fd, 4))
		err(2, "%s", path);
	puts("ready");
	fflush(stdout);
	while (poll(fds, 2, -1) > 0 && !fds[0].revents) {
		int client = accept(fds[1].fd, NULL, NULL);

		while (serve_one(client, vtpm))
			;
		close(client);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--tcti") == 0)
		return relay(argv[2]);
	if (argc == 5 && strcmp(argv[1], "--call") == 0)
		return call(argv[2], argv[3], argv[4]);
	if (argc != 5)
		errx(2, "usage: profile_front VTPM PROFILE NAME SOCKET");
	return serve(start(argv[1], argv[2], argv[3]), argv[4]);
}
