/* SPDX-License-Identifier: MIT */
/*
 * A socket front end for the vtpm service in tests: the protocol of the TPM reference simulator on
 * PORT (commands) and PORT + 1 (platform), one client at a time on each, as tpm2-tss's "mssim"
 * transport speaks it. Ends when its standard input does.
 *
 *	vtpm_front VTPM PROFILE PORT
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "services/tests/spawn.h"

/* Simulator protocol: all integers big-endian. */
#define SIM_SEND_COMMAND 8u
#define SIM_SESSION_END 20u

static int listen_on(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 4))
		err(2, "port %u", port);
	return fd;
}

static bool read_all(int fd, void *to, size_t size)
{
	return size == 0 || recv(fd, to, size, MSG_WAITALL) == (ssize_t)size;
}

static bool write_all(int fd, const void *from, size_t size)
{
	return send(fd, from, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static bool read_u32(int fd, uint32_t *value)
{
	if (!read_all(fd, value, sizeof(*value)))
		return false;
	*value = ntohl(*value);
	return true;
}

static bool write_u32(int fd, uint32_t value)
{
	value = htonl(value);
	return write_all(fd, &value, sizeof(value));
}

static bool forward_command(int client, int vtpm)
{
	uint8_t request[sizeof(struct vtpm_command) + VTPM_COMMAND_MAX] = { 0 };
	uint8_t response[VTPM_COMMAND_MAX];
	size_t response_size = sizeof(response);
	uint32_t size;

	if (!read_all(client, request, 1) || !read_u32(client, &size))
		return false;
	if (size > VTPM_COMMAND_MAX || !read_all(client, request + 4, size))
		return false;
	if (spawn_call(vtpm, VTPM_OP_COMMAND, request, 4 + size, response, &response_size))
		return false;
	return write_u32(client, (uint32_t)response_size) &&
	       write_all(client, response, response_size) && write_u32(client, 0);
}

/* One request of a client on the command port; false ends its connection. */
static bool serve_command(int client, int vtpm)
{
	uint32_t code;

	if (!read_u32(client, &code) || code != SIM_SEND_COMMAND)
		return false;
	return forward_command(client, vtpm);
}

/* Power and the like: the TPM is always on, so every signal is answered with success. */
static bool serve_platform(int client)
{
	uint32_t code;

	return read_u32(client, &code) && code != SIM_SESSION_END && write_u32(client, 0);
}

static void accept_client(int listener, struct pollfd *client)
{
	int one = 1;

	if (client->fd >= 0)
		close(client->fd);
	client->fd = accept(listener, NULL, NULL);
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void drop_client(struct pollfd *client)
{
	close(client->fd);
	client->fd = -1;
}

enum { INPUT, COMMANDS, PLATFORM, COMMAND_CLIENT, PLATFORM_CLIENT, POLLED };

int main(int argc, char **argv)
{
	struct pollfd fds[POLLED];
	uint16_t port;
	int vtpm;

	if (argc != 4)
		errx(2, "usage: vtpm_front VTPM PROFILE PORT");
	port = (uint16_t)atoi(argv[3]);
	struct spawn_grant grants[] = {
		{ open(argv[2], O_RDONLY | O_CLOEXEC), 6 },
		{ STDERR_FILENO, SERVICE_FD_LOG },
	};

	spawn_service(argv[1], NULL, grants, 2, &vtpm);
	for (int i = 0; i < POLLED; i++)
		fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	fds[INPUT].fd = STDIN_FILENO;
	fds[COMMANDS].fd = listen_on(port);
	fds[PLATFORM].fd = listen_on((uint16_t)(port + 1));
	printf("listening\n");
	fflush(stdout);
	while (poll(fds, POLLED, -1) > 0 && !fds[INPUT].revents) {
		if (fds[COMMAND_CLIENT].revents && !serve_command(fds[COMMAND_CLIENT].fd, vtpm))
			drop_client(&fds[COMMAND_CLIENT]);
		if (fds[PLATFORM_CLIENT].revents && !serve_platform(fds[PLATFORM_CLIENT].fd))
			drop_client(&fds[PLATFORM_CLIENT]);
		if (fds[COMMANDS].revents)
			accept_client(fds[COMMANDS].fd, &fds[COMMAND_CLIENT]);
		if (fds[PLATFORM].revents)
			accept_client(fds[PLATFORM].fd, &fds[PLATFORM_CLIENT]);
	}
	return 0;
}
