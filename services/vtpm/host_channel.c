/* SPDX-License-Identifier: MIT */
#include "services/vtpm/host_channel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/frame.h"
#include "core/base/host/clock.h"
#include "services/vtpm/vtpm.h"

uint64_t host_channel_deadline(uint32_t timeout_ms)
{
	return clock_ms() + timeout_ms;
}

/* Nothing was transferred, but something may be later: the pipe is full or empty. */
static bool may_go_on(ssize_t moved)
{
	return moved == 0 || errno == EAGAIN || errno == EINTR;
}

static const char *write_all(const uint8_t *data, size_t size, uint64_t deadline)
{
	while (size) {
		ssize_t put = write(VTPM_FD_HOST_CHANNEL, data, size);

		if (put > 0) {
			data += put;
			size -= (size_t)put;
		} else if (!may_go_on(put)) {
			return "there is no host channel";
		} else if (clock_ms() >= deadline) {
			return "the host takes nothing";
		}
	}
	return NULL;
}

/* One deadline for the whole message: a host that trickles bytes gains no time. */
static const char *read_all(uint8_t *data, size_t size, uint64_t deadline)
{
	while (size) {
		ssize_t got = read(VTPM_FD_HOST_CHANNEL, data, size);

		if (got > 0) {
			data += got;
			size -= (size_t)got;
		} else if (!may_go_on(got)) {
			return "there is no host channel";
		}
		if (size && clock_ms() >= deadline)
			return "the CA did not answer in time";
	}
	return NULL;
}

const char *host_channel_send(enum ca_type type, const void *payload, size_t size,
			      uint64_t deadline)
{
	struct frame_header header = frame_header(CA_MAGIC, type, payload, size);
	const char *reason = write_all((const uint8_t *)&header, sizeof(header), deadline);

	return reason ? reason : write_all(payload, size, deadline);
}

static const char *receive_payload(struct host_message *message, const struct frame_header *header,
				   uint64_t deadline)
{
	const char *reason;

	/* One byte more, so that an empty payload is no special case. */
	message->payload = malloc(header->length + 1u);
	if (!message->payload)
		return "out of memory";
	reason = read_all(message->payload, header->length, deadline);
	if (!reason && !frame_payload_ok(header, message->payload))
		reason = "the CA's answer is damaged";
	if (reason)
		free(message->payload);
	return reason;
}

const char *host_channel_receive(struct host_message *message, uint64_t deadline)
{
	static const struct frame_kind kind = { CA_MAGIC, CA_PAYLOAD_MAX };
	struct frame_header header;
	const char *reason = read_all((uint8_t *)&header, sizeof(header), deadline);

	if (reason)
		return reason;
	if (!frame_header_ok(&kind, &header))
		return "the CA's answer is no message";
	message->type = header.type;
	message->size = header.length;
	return receive_payload(message, &header, deadline);
}
