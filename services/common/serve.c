/* SPDX-License-Identifier: MIT */
#include "services/common/serve.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX (sizeof(struct service_reply) + SERVE_PAYLOAD_MAX)

/* A message in its wire form; requests and replies have headers of one size. */
struct message {
	union {
		struct service_request request;
		struct service_reply reply;
	} header;
	uint8_t payload[SERVE_PAYLOAD_MAX];
};
_Static_assert(sizeof(struct message) == MESSAGE_MAX, "the payload follows the header");

static ssize_t read_message(int fd, struct message *message)
{
	ssize_t got;

	do {
		got = read(fd, message, sizeof(*message));
	} while (got < 0 && errno == EINTR);
	return got;
}

static bool write_message(int fd, const struct message *message, size_t payload_size)
{
	size_t size = sizeof(message->header) + payload_size;
	ssize_t put;

	do {
		put = write(fd, message, size);
	} while (put < 0 && errno == EINTR);
	return put == (ssize_t)size;
}

static enum service_status handle(serve_handler handler, void *context,
				  const struct message *request, size_t got,
				  struct serve_output *out)
{
	if (got < sizeof(request->header) ||
	    request->header.request.size != got - sizeof(request->header))
		return SERVICE_ERR_FORMAT;
	return handler(context, request->header.request.op, request->payload,
		       request->header.request.size, out);
}

int serve(serve_handler handler, void *context)
{
	static struct message request, reply;

	for (;;) {
		struct serve_output out = { .data = reply.payload, .capacity = SERVE_PAYLOAD_MAX };
		ssize_t got = read_message(SERVICE_FD_REQUESTS, &request);
		enum service_status status;

		if (got <= 0)
			return got < 0;
		status = handle(handler, context, &request, (size_t)got, &out);
		if (status != SERVICE_OK)
			out.size = 0;
		reply.header.reply.status = status;
		reply.header.reply.size = (uint32_t)out.size;
		if (!write_message(SERVICE_FD_REQUESTS, &reply, out.size))
			return 1;
	}
}

enum service_status serve_append(struct serve_output *out, const void *data, size_t size)
{
	if (size > out->capacity - out->size)
		return SERVICE_ERR_NO_MEMORY;
	memcpy(out->data + out->size, data, size);
	out->size += size;
	return SERVICE_OK;
}

enum service_status serve_call(int fd, uint32_t op, const void *payload, size_t size,
			       struct serve_output *reply)
{
	static struct message message;
	enum service_status status;
	ssize_t got;

	if (size > SERVE_PAYLOAD_MAX)
		return SERVICE_ERR_NO_MEMORY;
	message.header.request.op = op;
	message.header.request.size = (uint32_t)size;
	if (size)
		memcpy(message.payload, payload, size);
	if (!write_message(fd, &message, size))
		return SERVICE_ERR_FAILED;

	got = read_message(fd, &message);
	if (got < (ssize_t)sizeof(message.header) ||
	    message.header.reply.size != (size_t)got - sizeof(message.header))
		return SERVICE_ERR_FAILED;
	if (message.header.reply.status != SERVICE_OK)
		return message.header.reply.status;
	status = serve_append(reply, message.payload, message.header.reply.size);
	/* The reply may have been a key, of which only the caller's copy shall stay. */
	explicit_bzero(message.payload, message.header.reply.size);
	return status;
}

void serve_log(const char *line)
{
	char text[160];
	size_t length = strnlen(line, sizeof(text) - 1);
	ssize_t put;

	memcpy(text, line, length);
	text[length] = '\n';
	put = write(SERVICE_FD_LOG, text, length + 1);
	(void)put; /* a log that nobody granted is no error */
}
