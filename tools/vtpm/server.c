/* SPDX-License-Identifier: MIT */
#include "tools/vtpm/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tools/cmd.h"

#define CLIENTS_MAX 32u
#define BACKLOG 16
#define STALL_LIMIT_S 30
#define PORT_TRIES 64u

bool server_read(int fd, void *to, size_t size)
{
	uint8_t *at = to;

	while (size > 0) {
		ssize_t got = recv(fd, at, size, MSG_WAITALL);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		size -= (size_t)got;
	}
	return true;
}

bool server_write(int fd, const void *from, size_t size)
{
	const uint8_t *at = from;

	while (size > 0) {
		ssize_t put = send(fd, at, size, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		at += put;
		size -= (size_t)put;
	}
	return true;
}

bool server_read_u32(int fd, uint32_t *value)
{
	if (!server_read(fd, value, sizeof(*value)))
		return false;
	*value = ntohl(*value);
	return true;
}

bool server_write_u32(int fd, uint32_t value)
{
	value = htonl(value);
	return server_write(fd, &value, sizeof(value));
}

enum server_answer server_going_on(bool sent)
{
	return sent ? SERVER_ON : SERVER_CLOSE;
}

bool server_power_on(struct server *server, bool startup_by_client)
{
	struct host_error error;

	if (vtpm_device_power_on(server->device, startup_by_client, &error))
		return true;
	cmd_error("vtpm: %s", error.text);
	return false;
}

size_t server_failure(uint8_t *response)
{
	static const uint8_t failure[] = { 0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x01 };

	memcpy(response, failure, sizeof(failure));
	return sizeof(failure);
}

enum { COMMANDS, CONTROLS, LISTENERS };

/* Descriptors to wait for: the listeners, then clients, and which port each client came to. */
struct poll_set {
	struct pollfd fds[LISTENERS + CLIENTS_MAX];
	int port_of[LISTENERS + CLIENTS_MAX];
	size_t count;
};

static int listen_on(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), saved;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in at = { 0 };
	socklen_t size = sizeof(at);

	getsockname(fd, (struct sockaddr *)&at, &size);
	return ntohs(at.sin_port);
}

static bool listen_pair(struct poll_set *set, uint16_t *port)
{
	int first = listen_on(*port), second;
	uint16_t found;

	if (first < 0)
		return false;
	found = port_of(first);
	second = found < UINT16_MAX ? listen_on((uint16_t)(found + 1)) : -1;
	if (second < 0) {
		close(first);
		return false;
	}
	*port = found;
	set->fds[COMMANDS] = (struct pollfd){ .fd = first, .events = POLLIN };
	set->fds[CONTROLS] = (struct pollfd){ .fd = second, .events = POLLIN };
	set->count = LISTENERS;
	return true;
}

static bool find_ports(struct poll_set *set, uint16_t *port, struct host_error *error)
{
	uint16_t wanted = *port;

	for (unsigned int i = 0; i < (wanted ? 1 : PORT_TRIES); i++) {
		if (listen_pair(set, port))
			return true;
		*port = wanted;
	}
	return host_fail(error, "port %u: %s", wanted, strerror(errno));
}

static void add_client(struct poll_set *set, int listener)
{
	struct timeval limit = { .tv_sec = STALL_LIMIT_S };
	int one = 1, fd = accept4(set->fds[listener].fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (set->count == LISTENERS + CLIENTS_MAX) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* A client that stops in the middle of a request holds up the others. */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	set->port_of[set->count] = listener;
	set->fds[set->count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

static void drop_client(struct poll_set *set, size_t index)
{
	close(set->fds[index].fd);
	set->count--;
	set->fds[index] = set->fds[set->count];
	set->port_of[index] = set->port_of[set->count];
}

/*
 * False when a client ended the server. From the last client to the first, for the place of one
 * that is dropped is taken by the last.
 */
static bool serve_clients(struct server *server, const struct server_shape *shape,
			  struct poll_set *set)
{
	for (size_t i = set->count; i-- > LISTENERS;) {
		server_handler handler = set->port_of[i] == COMMANDS ? shape->command
								     : shape->control;
		enum server_answer answer = SERVER_ON;

		if (set->fds[i].revents)
			answer = handler(server, set->fds[i].fd);
		if (answer == SERVER_END)
			return false;
		if (answer == SERVER_CLOSE)
			drop_client(set, i);
	}
	return true;
}

static bool serve_until_end(struct server *server, const struct server_shape *shape,
			    struct poll_set *set, struct host_error *error)
{
	for (;;) {
		if (poll(set->fds, set->count, -1) < 0) {
			if (errno == EINTR)
				continue;
			return host_fail(error, "poll: %s", strerror(errno));
		}
		if (!serve_clients(server, shape, set))
			return true;
		for (int i = 0; i < LISTENERS; i++) {
			if (set->fds[i].revents)
				add_client(set, i);
		}
	}
}

bool server_run(struct server *server, const struct server_shape *shape, uint16_t port,
		struct host_error *error)
{
	struct poll_set set;
	bool ok;

	if (!find_ports(&set, &port, error))
		return false;
	printf("listening %u\n", port);
	fflush(stdout);
	ok = serve_until_end(server, shape, &set, error);
	for (size_t i = 0; i < set.count; i++)
		close(set.fds[i].fd);
	return ok;
}
