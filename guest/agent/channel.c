/* SPDX-License-Identifier: MIT */
#include "guest/agent/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "guest/agent/file.h"

/* Bytes as they are, at the one speed that every 16550 knows. */
static int make_raw(int fd)
{
	struct termios tio;

	if (!isatty(fd))
		return 0;
	if (tcgetattr(fd, &tio) != 0)
		return -errno;
	cfmakeraw(&tio);
	tio.c_cflag |= CLOCAL | CREAD;
	tio.c_cflag &= ~(tcflag_t)CRTSCTS;
	tio.c_cc[VMIN] = 1;
	tio.c_cc[VTIME] = 0;
	cfsetspeed(&tio, B115200);
	/* What came before this was not meant for us, or was changed by the line discipline. */
	return tcsetattr(fd, TCSAFLUSH, &tio) == 0 ? 0 : -errno;
}

int channel_open(struct channel *channel, const char *path)
{
	int rc;

	memset(channel, 0, sizeof(*channel));
	channel->fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (channel->fd < 0)
		return -errno;
	rc = make_raw(channel->fd);
	if (rc != 0)
		close(channel->fd);
	return rc;
}

int channel_send(struct channel *channel, uint32_t type, const void *payload, size_t size)
{
	struct frame_header header = frame_header(CHANNEL_MAGIC, type, payload, size);
	int rc;

	if (size > CHANNEL_PAYLOAD_MAX)
		return -EMSGSIZE;
	rc = file_write_all(channel->fd, &header, sizeof(header));
	return rc == 0 ? file_write_all(channel->fd, payload, size) : rc;
}

int channel_send_file(struct channel *channel, const char *path, const char *name)
{
	size_t name_size = strlen(name) + 1;
	uint8_t *payload = malloc(CHANNEL_PAYLOAD_MAX);
	ssize_t size;
	int rc;

	if (payload == NULL)
		return -ENOMEM;
	if (name_size > CHANNEL_PAYLOAD_MAX) {
		free(payload);
		return -EMSGSIZE;
	}
	memcpy(payload, name, name_size);
	size = file_read(path, payload + name_size, CHANNEL_PAYLOAD_MAX - name_size);
	rc = size < 0 ? (int)size
		      : channel_send(channel, CHANNEL_FILE, payload, name_size + (size_t)size);
	free(payload);
	return rc;
}

int channel_receive(struct channel *channel, struct frame *frame)
{
	static const struct frame_kind kind = { CHANNEL_MAGIC, CHANNEL_PAYLOAD_MAX };
	uint8_t data[512];

	while (!frame_next(&channel->parser, &kind, frame)) {
		size_t room = frame_room(&channel->parser);
		ssize_t got = read(channel->fd, data, room < sizeof(data) ? room : sizeof(data));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EPIPE;
		frame_push(&channel->parser, data, (size_t)got);
	}
	return 0;
}
