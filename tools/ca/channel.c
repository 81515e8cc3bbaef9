/* SPDX-License-Identifier: MIT */
#include "tools/ca/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/base/frame.h"
#include "core/base/host/clock.h"

#define STALL_LIMIT_MS 30000
#define FOREVER (-1) /* as poll() has it */
#define CONNECT_PAUSE_NS 50000000L
#define CONNECTS_PER_S 20u

struct ca_channel ca_channel_open(int fd, unsigned int seconds)
{
	return (struct ca_channel){ fd, seconds ? clock_ms() + seconds * 1000ull : 0 };
}

bool ca_channel_over(const struct ca_channel *channel)
{
	return channel->end_ms && clock_ms() >= channel->end_ms;
}

/* How long to wait for the other side: limit_ms, or FOREVER, but not beyond the end of its time. */
static int wait_ms(const struct ca_channel *channel, int limit_ms)
{
	uint64_t now = clock_ms(), left;

	if (!channel->end_ms)
		return limit_ms;
	left = now < channel->end_ms ? channel->end_ms - now : 0;
	return limit_ms == FOREVER || left < (uint64_t)limit_ms ? (int)left : limit_ms;
}

/* Waits until the other side gives (POLLIN) or takes (POLLOUT). False when it does not in time. */
static bool wait_for(const struct ca_channel *channel, short events, int limit_ms)
{
	struct pollfd poll_fd = { .fd = channel->fd, .events = events };
	int ready;

	do
		ready = poll(&poll_fd, 1, wait_ms(channel, limit_ms));
	while (ready < 0 && errno == EINTR);
	/* poll() never times out on a peer that sends a byte now and then. */
	return ready > 0 && !ca_channel_over(channel);
}

/* All of the bytes, in (POLLIN) or out (POLLOUT); false when the other side stalls or is gone. */
static bool move_all(const struct ca_channel *channel, short events, uint8_t *at, size_t size)
{
	while (size > 0) {
		ssize_t moved;

		if (!wait_for(channel, events, STALL_LIMIT_MS))
			return false;
		moved = events == POLLIN ? recv(channel->fd, at, size, MSG_DONTWAIT)
					 : send(channel->fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (moved < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (moved <= 0)
			return false;
		at += moved;
		size -= (size_t)moved;
	}
	return true;
}

static bool receive_all(const struct ca_channel *channel, void *to, size_t size)
{
	return move_all(channel, POLLIN, to, size);
}

/* A header: the first sixteen bytes that begin with the magic number. */
static bool receive_header(const struct ca_channel *channel, struct frame_header *header)
{
	uint8_t bytes[sizeof(*header)];
	uint32_t magic;

	if (!wait_for(channel, POLLIN, FOREVER) || !receive_all(channel, bytes, sizeof(magic)))
		return false;
	memcpy(&magic, bytes, sizeof(magic));
	while (magic != CA_MAGIC) {
		magic >>= 8;
		if (!wait_for(channel, POLLIN, FOREVER) || !receive_all(channel, bytes, 1))
			return false;
		magic |= (uint32_t)bytes[0] << 24;
	}
	header->magic = magic;
	return receive_all(channel, &header->type, sizeof(*header) - sizeof(magic));
}

enum ca_receive ca_channel_receive(const struct ca_channel *channel, struct ca_message *message)
{
	struct frame_header header;

	if (!receive_header(channel, &header))
		return CA_CLOSED;
	message->type = header.type;
	message->size = header.length;
	if (header.length > CA_PAYLOAD_MAX)
		return CA_DAMAGED;
	if (!receive_all(channel, message->payload, header.length))
		return CA_CLOSED;
	return frame_payload_ok(&header, message->payload) ? CA_RECEIVED : CA_DAMAGED;
}

static bool send_all(const struct ca_channel *channel, const void *data, size_t size)
{
	return move_all(channel, POLLOUT, (uint8_t *)data, size);
}

bool ca_channel_send(const struct ca_channel *channel, uint32_t type, const void *payload,
		     size_t size)
{
	struct frame_header header = frame_header(CA_MAGIC, type, payload, size);

	return size <= CA_PAYLOAD_MAX && send_all(channel, &header, sizeof(header)) &&
	       send_all(channel, payload, size);
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
