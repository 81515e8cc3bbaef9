/* SPDX-License-Identifier: MIT */
#include "tools/vtpm/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/host/clock.h"
#include "core/base/host/unix_socket.h"
#include "tools/cmd.h"

#define CLIENTS_MAX 128u
#define BACKLOG 64
#define STALL_LIMIT_MS 30000u
#define PORT_TRIES 64u
#define READ_SIZE 8192u

/* What the loop waits for; clients come after these. */
enum { WAIT_STOP, WAIT_LISTENERS, WAIT_CLIENTS = WAIT_LISTENERS + SERVER_CHANNELS };

struct loop {
	struct server *server;
	const struct server_shape *shape;
	const struct server_place *place;
	struct pollfd fds[WAIT_CLIENTS + CLIENTS_MAX];
	struct server_client clients[CLIENTS_MAX];
	size_t count; /* of clients */
	bool ends;
	bool has_path; /* the socket is of this server */
	struct unix_socket_file path;
};

/* Room for size bytes in all. Authorizations pass through: nothing is left where it was. */
static bool buffer_room(struct server_buffer *buffer, size_t size)
{
	size_t capacity = buffer->capacity ? buffer->capacity : READ_SIZE;
	uint8_t *data;

	if (size <= buffer->capacity)
		return true;
	while (capacity < size)
		capacity *= 2;
	data = OPENSSL_clear_realloc(buffer->data, buffer->capacity, capacity);
	if (!data)
		return false;
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

static void buffer_free(struct server_buffer *buffer)
{
	OPENSSL_clear_free(buffer->data, buffer->capacity);
	*buffer = (struct server_buffer){ 0 };
}

static void buffer_drop(struct server_buffer *buffer, size_t size)
{
	memmove(buffer->data, buffer->data + size, buffer->size - size);
	OPENSSL_cleanse(buffer->data + buffer->size - size, size);
	buffer->size -= size;
}

void server_put(struct server_client *client, const void *bytes, size_t size)
{
	if (!buffer_room(&client->out, client->out.size + size)) {
		client->answer = SERVER_CLOSE;
		return;
	}
	memcpy(client->out.data + client->out.size, bytes, size);
	client->out.size += size;
}

void server_put_u32(struct server_client *client, uint32_t value)
{
	value = htonl(value);
	server_put(client, &value, sizeof(value));
}

uint32_t server_u32_at(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return ntohl(value);
}

bool server_power_on(struct server *server)
{
	struct host_error error;

	if (vtpm_device_power_on(server->device, &error))
		return true;
	cmd_error("vtpm: %s", error.text);
	return false;
}

void server_execute(struct server *server, struct server_client *client, uint8_t locality,
		    const uint8_t *command, size_t size, bool with_size)
{
	static const uint8_t failure[] = { 0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x01 };
	uint8_t response[VTPM_COMMAND_MAX];
	size_t response_size = sizeof(failure);

	if (!vtpm_device_execute(server->device, locality, command, size, response,
				 &response_size)) {
		memcpy(response, failure, sizeof(failure));
		response_size = sizeof(failure);
	}
	if (with_size)
		server_put_u32(client, (uint32_t)response_size);
	server_put(client, response, response_size);
	OPENSSL_cleanse(response, response_size);
}

static int listen_on_port(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), saved;

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

static bool listen_pair(struct loop *loop, uint16_t port)
{
	struct pollfd *listeners = &loop->fds[WAIT_LISTENERS];
	int first = listen_on_port(port), second;
	uint16_t found;

	if (first < 0)
		return false;
	found = port_of(first);
	second = found < UINT16_MAX ? listen_on_port((uint16_t)(found + 1)) : -1;
	if (second < 0) {
		close(first);
		return false;
	}
	listeners[SERVER_COMMANDS].fd = first;
	listeners[SERVER_CONTROL].fd = second;
	return true;
}

static bool listen_on_ports(struct loop *loop, struct host_error *error)
{
	uint16_t wanted = loop->place->port;

	for (unsigned int i = 0; i < (wanted ? 1 : PORT_TRIES); i++) {
		if (listen_pair(loop, wanted))
			return true;
	}
	return host_fail(error, "port %u: %s", wanted, strerror(errno));
}

static bool listen_on_path(struct loop *loop, struct host_error *error)
{
	const char *path = loop->place->socket;
	int fd = unix_socket_listen(path, SOCK_NONBLOCK, BACKLOG, &loop->path);

	if (fd < 0 && errno == ENAMETOOLONG)
		return host_fail(error, "%s: the name is too long for a socket", path);
	if (fd < 0)
		return host_fail(error, "%s: %s", path, strerror(errno));
	loop->has_path = true;
	loop->fds[WAIT_LISTENERS + SERVER_CONTROL].fd = fd;
	return true;
}

/* Sockets that a service manager listens on: one for control, or commands and control. */
static void listen_on_given(struct loop *loop)
{
	size_t count = loop->place->socket_count;

	for (size_t i = 0; i < count; i++)
		loop->fds[WAIT_LISTENERS + SERVER_CHANNELS - count + i].fd =
			loop->place->sockets[i];
}

static bool listen_somewhere(struct loop *loop, struct host_error *error)
{
	if (loop->place->socket_count) {
		listen_on_given(loop);
		return true;
	}
	return loop->place->socket ? listen_on_path(loop, error) : listen_on_ports(loop, error);
}

static void say_where(const struct loop *loop)
{
	if (loop->place->socket_count)
		printf("listening\n");
	else if (loop->place->socket)
		printf("listening %s\n", loop->place->socket);
	else
		printf("listening %u\n", port_of(loop->fds[WAIT_LISTENERS + SERVER_COMMANDS].fd));
	fflush(stdout);
}

/* The one that has been silent longest: a client that needs it can come again. */
static size_t longest_silent(const struct loop *loop)
{
	size_t found = 0;

	for (size_t i = 1; i < loop->count; i++) {
		if (loop->clients[i].active_ms < loop->clients[found].active_ms)
			found = i;
	}
	return found;
}

/* The last client takes its place. */
static void drop_client(struct loop *loop, size_t index)
{
	struct server_client *client = &loop->clients[index];

	if (client->adopted)
		loop->server->has_data = false;
	if (client->channel == SERVER_CONTROL && client->served && loop->place->terminate)
		loop->ends = true;
	close(client->fd);
	if (client->passed >= 0)
		close(client->passed);
	buffer_free(&client->in);
	buffer_free(&client->out);
	loop->count--;
	loop->clients[index] = loop->clients[loop->count];
	loop->fds[WAIT_CLIENTS + index] = loop->fds[WAIT_CLIENTS + loop->count];
}

static void add_client(struct loop *loop, int fd, enum server_channel channel, bool tcp)
{
	int one = 1;

	if (loop->count == CLIENTS_MAX)
		drop_client(loop, longest_silent(loop));
	if (tcp)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	loop->clients[loop->count] = (struct server_client){
		.fd = fd, .channel = channel, .tcp = tcp, .passed = -1, .active_ms = clock_ms()
	};
	loop->fds[WAIT_CLIENTS + loop->count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

static bool is_tcp(int fd)
{
	struct sockaddr_storage at = { 0 };
	socklen_t size = sizeof(at);

	return getsockname(fd, (struct sockaddr *)&at, &size) == 0 && at.ss_family != AF_UNIX;
}

static void accept_client(struct loop *loop, enum server_channel channel)
{
	int fd = accept4(loop->fds[WAIT_LISTENERS + channel].fd, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		add_client(loop, fd, channel, is_tcp(fd));
}

/* A command channel that came over the control channel. */
static void adopt_channel(struct loop *loop)
{
	if (loop->server->adopted < 0)
		return;
	add_client(loop, loop->server->adopted, SERVER_COMMANDS, false);
	loop->clients[loop->count - 1].adopted = true;
	loop->server->adopted = -1;
}

static void take_passed(struct server_client *client, struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);

	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len < CMSG_LEN(sizeof(int)))
		return;
	if (client->passed >= 0)
		close(client->passed);
	memcpy(&client->passed, CMSG_DATA(header), sizeof(int));
}

/* False when the client is gone. */
static bool receive(struct server_client *client)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part;
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t got;

	if (!buffer_room(&client->in, client->in.size + READ_SIZE / 2))
		return false;
	part = (struct iovec){ client->in.data + client->in.size,
			       client->in.capacity - client->in.size };
	if (!client->tcp) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_LEN(sizeof(int)); /* no room for a second one */
	}
	got = recvmsg(client->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	if (!client->tcp)
		take_passed(client, &message);
	client->in.size += (size_t)got;
	return got > 0;
}

/* False when the client is gone. */
static bool send_answers(struct server_client *client)
{
	while (client->sent < client->out.size) {
		ssize_t put = send(client->fd, client->out.data + client->sent,
				   client->out.size - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return errno == EAGAIN;
		client->sent += (size_t)put;
	}
	OPENSSL_cleanse(client->out.data, client->out.size);
	client->sent = client->out.size = 0;
	return true;
}

/*
 * tpm2-tss sends a request in pieces, and each waits for the acknowledgement of the one before,
 * which would be put off until there is an answer that it can go with.
 */
static void wait_for_more(struct server_client *client, size_t size)
{
	int one = 1;

	if (!buffer_room(&client->in, size))
		client->answer = SERVER_CLOSE;
	else if (client->tcp)
		setsockopt(client->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

/* Answers every whole request that is there, until one ends the connection. */
static void answer_requests(struct loop *loop, struct server_client *client)
{
	server_measure measure = loop->shape->channels[client->channel].measure;
	server_handler handle = loop->shape->channels[client->channel].handle;
	size_t size;

	while (client->answer == SERVER_ON && client->in.size > 0) {
		size = measure(client->in.data, client->in.size);
		if (size == SERVER_BAD || size > SERVER_REQUEST_MAX) {
			client->answer = SERVER_CLOSE;
			return;
		}
		if (size > client->in.size) {
			wait_for_more(client, size);
			return;
		}
		client->served = true;
		client->answer = handle(loop->server, client, client->in.data, size);
		if (loop->shape->channels[client->channel].packets)
			size = client->in.size;
		buffer_drop(&client->in, size);
	}
}

/* False when the connection is over. */
static bool serve_client(struct loop *loop, struct server_client *client, short events)
{
	bool alive = true;

	client->active_ms = clock_ms();
	/* What was sent before the connection ended is answered all the same. */
	if (events & (POLLIN | POLLHUP | POLLERR))
		alive = receive(client);
	answer_requests(loop, client);
	if (!send_answers(client))
		return false;
	if (client->sent < client->out.size)
		return alive;
	loop->ends |= client->answer == SERVER_END;
	return alive && client->answer == SERVER_ON;
}

/* From the last to the first, for the place of one that is dropped is taken by the last. */
static void serve_clients(struct loop *loop)
{
	for (size_t i = loop->count; i-- > 0 && !loop->ends;) {
		struct server_client *client = &loop->clients[i];
		short events = loop->fds[WAIT_CLIENTS + i].revents;

		if (events && !serve_client(loop, client, events))
			drop_client(loop, i);
		else if (events)
			loop->fds[WAIT_CLIENTS + i].events = client->sent < client->out.size
								     ? POLLOUT
								     : POLLIN;
	}
}

/* Whether a client is in the middle of a request or of an answer. */
static bool is_waited_for(const struct server_client *client)
{
	return client->in.size > 0 || client->sent < client->out.size;
}

/* Drops those that stalled; the time until the next one may have, or -1. */
static int drop_stalled(struct loop *loop)
{
	int wait = -1;

	for (size_t i = loop->count; i-- > 0;) {
		uint64_t silent;

		if (!is_waited_for(&loop->clients[i]))
			continue;
		silent = clock_ms() - loop->clients[i].active_ms;
		if (silent >= STALL_LIMIT_MS)
			drop_client(loop, i);
		else if (wait < 0 || (int)(STALL_LIMIT_MS - silent) < wait)
			wait = (int)(STALL_LIMIT_MS - silent);
	}
	return wait;
}

static bool serve_until_end(struct loop *loop, struct host_error *error)
{
	while (!loop->ends) {
		if (poll(loop->fds, WAIT_CLIENTS + loop->count, drop_stalled(loop)) < 0) {
			if (errno == EINTR)
				continue;
			return host_fail(error, "poll: %s", strerror(errno));
		}
		if (loop->fds[WAIT_STOP].revents)
			return true;
		serve_clients(loop);
		adopt_channel(loop);
		for (int channel = 0; channel < SERVER_CHANNELS; channel++) {
			if (loop->fds[WAIT_LISTENERS + channel].revents)
				accept_client(loop, (enum server_channel)channel);
		}
	}
	return true;
}

bool server_run(struct server *server, const struct server_shape *shape,
		const struct server_place *place, struct host_error *error)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	bool ok;

	if (!loop)
		return host_fail(error, "out of memory");
	loop->server = server;
	loop->shape = shape;
	loop->place = place;
	for (int i = 0; i < WAIT_CLIENTS; i++)
		loop->fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	loop->fds[WAIT_STOP].fd = place->stop;
	ok = listen_somewhere(loop, error);
	server->listens = loop->fds[WAIT_LISTENERS + SERVER_COMMANDS].fd >= 0;
	ok = ok && server->prepare(server->context, error);
	if (ok)
		say_where(loop);
	ok = ok && daemon_ready(&place->daemon, error);
	if (ok) {
		ok = serve_until_end(loop, error);
		daemon_ends(&place->daemon);
	}
	while (loop->count > 0)
		drop_client(loop, loop->count - 1);
	for (int i = WAIT_LISTENERS; i < WAIT_CLIENTS; i++) {
		if (loop->fds[i].fd >= 0)
			close(loop->fds[i].fd);
	}
	if (loop->has_path)
		unix_socket_remove(place->socket, &loop->path);
	free(loop);
	return ok;
}
