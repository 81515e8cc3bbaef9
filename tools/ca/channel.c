/* SPDX-License-Identifier: MIT */
#include "tools/ca/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/crc32.h"

#define STALL_LIMIT_S 30
#define CONNECT_PAUSE_NS 50000000L
#define CONNECTS_PER_S 20u
#define BACKLOG 16

void ca_channel_limit(int fd)
{
	struct timeval limit = { .tv_sec = STALL_LIMIT_S };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static bool receive_all(int fd, void *to, size_t size)
{
	uint8_t *at = to;

	while (size > 0) {
		ssize_t got = recv(fd, at, size, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		size -= (size_t)got;
	}
	return true;
}

/* Between messages there is no time limit. */
static bool wait_for_bytes(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	while (poll(&poll_fd, 1, -1) < 0) {
		if (errno != EINTR)
			return false;
	}
	return true;
}

/* A header: the first sixteen bytes that begin with the magic number. */
static bool receive_header(int fd, struct ca_header *header)
{
	uint8_t bytes[sizeof(*header)];
	uint32_t magic;

	if (!wait_for_bytes(fd) || !receive_all(fd, bytes, sizeof(magic)))
		return false;
	memcpy(&magic, bytes, sizeof(magic));
	while (magic != CA_MAGIC) {
		magic >>= 8;
		if (!wait_for_bytes(fd) || !receive_all(fd, bytes, 1))
			return false;
		magic |= (uint32_t)bytes[0] << 24;
	}
	header->magic = magic;
	return receive_all(fd, &header->type, sizeof(*header) - sizeof(magic));
}

enum ca_receive ca_channel_receive(int fd, struct ca_message *message)
{
	struct ca_header header;

	if (!receive_header(fd, &header))
		return CA_CLOSED;
	message->type = header.type;
	message->size = header.length;
	if (header.length > CA_PAYLOAD_MAX)
		return CA_DAMAGED;
	if (!receive_all(fd, message->payload, header.length))
		return CA_CLOSED;
	return core_crc32(0, message->payload, header.length) == header.crc32 ? CA_RECEIVED
									      : CA_DAMAGED;
}

static bool send_all(int fd, const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size > 0) {
		ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		at += sent;
		size -= (size_t)sent;
	}
	return true;
}

bool ca_channel_send(int fd, uint32_t type, const void *payload, size_t size)
{
	struct ca_header header = { .magic = CA_MAGIC,
				    .type = type,
				    .length = (uint32_t)size,
				    .crc32 = core_crc32(0, payload, size) };

	return size <= CA_PAYLOAD_MAX && send_all(fd, &header, sizeof(header)) &&
	       send_all(fd, payload, size);
}

static bool set_address(struct sockaddr_un *at, const char *path)
{
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(at->sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(at->sun_path, path, strlen(path));
	return true;
}

static int try_connect(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), saved;

	if (fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0)
		return fd;
	saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

/* The socket file of a server that has ended stays behind, and would be in the way. */
static void remove_stale(const struct sockaddr_un *at)
{
	int fd = try_connect(at);

	if (fd >= 0)
		close(fd);
	else if (errno == ECONNREFUSED)
		unlink(at->sun_path);
}

int ca_channel_listen(const char *path)
{
	struct sockaddr_un at;
	int fd, saved;

	if (!set_address(&at, path))
		return -1;
	remove_stale(&at);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

int ca_channel_connect(const char *path, unsigned int seconds)
{
	struct timespec pause = { .tv_nsec = CONNECT_PAUSE_NS };
	struct sockaddr_un at;

	if (!set_address(&at, path))
		return -1;
	for (unsigned int i = 0; i <= seconds * CONNECTS_PER_S; i++) {
		int fd = try_connect(&at);

		if (fd >= 0 || (errno != ENOENT && errno != ECONNREFUSED))
			return fd;
		nanosleep(&pause, NULL);
	}
	errno = ETIMEDOUT;
	return -1;
}
