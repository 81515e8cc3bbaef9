/* SPDX-License-Identifier: MIT */
#include "services/common/serve.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_SIZE sizeof(struct service_request)
_Static_assert(sizeof(struct service_reply) == HEADER_SIZE, "one size of header");

/* One byte beyond the largest valid message, so that a longer one is noticed, not cut. */
#define READ_SLACK 1u

/* A message in its wire form; requests and replies have headers of one size. */
struct message {
	union {
		struct service_request request;
		struct service_reply reply;
	} header;
	uint8_t payload[];
};

static ssize_t read_message(int fd, struct message *message, size_t payload_max)
{
	ssize_t got;

	do {
		got = read(fd, message, HEADER_SIZE + payload_max);
	} while (got < 0 && errno == EINTR);
	return got;
}

static bool write_message(int fd, const struct message *message, size_t payload_size)
{
	size_t size = HEADER_SIZE + payload_size;
	ssize_t put;

	do {
		put = write(fd, message, size);
	} while (put < 0 && errno == EINTR);
	return put == (ssize_t)size;
}

static enum service_status handle(serve_handler handler, void *context,
				  const struct message *request, size_t got, size_t request_max,
				  struct serve_output *out)
{
	if (got < HEADER_SIZE || got > HEADER_SIZE + request_max ||
	    request->header.request.size != got - HEADER_SIZE)
		return SERVICE_ERR_FORMAT;
	return handler(context, request->header.request.op, request->payload,
		       request->header.request.size, out);
}

/*
 * The monitor keeps replies in the service's memory budget, which replies that other vCPUs have not
 * yet read may have used up. That is no reason to end: the TPM would end with the service.
 */
static bool send_reply(struct message *reply, size_t size)
{
	if (write_message(SERVICE_FD_REQUESTS, reply, size))
		return true;
	if (errno != ENOMEM || size == 0)
		return false;
	reply->header.reply = (struct service_reply){ .status = SERVICE_ERR_NO_MEMORY, .size = 0 };
	return write_message(SERVICE_FD_REQUESTS, reply, 0);
}

/* Both buffers are wiped: requests carry authorizations, and replies may carry seeds. */
static bool serve_one(serve_handler handler, void *context, struct message *request,
		      size_t request_max, struct message *reply, size_t reply_max,
		      enum serve_end *end)
{
	struct serve_output out = { .data = reply->payload, .capacity = reply_max };
	ssize_t got = read_message(SERVICE_FD_REQUESTS, request, request_max + READ_SLACK);
	enum service_status result;
	bool sent;

	*end = got < 0 ? SERVE_FAILED : SERVE_CLOSED;
	if (got <= 0)
		return false;
	result = handle(handler, context, request, (size_t)got, request_max, &out);
	explicit_bzero(request, (size_t)got);
	if (result != SERVICE_OK)
		out.size = 0;
	reply->header.reply.status = result;
	reply->header.reply.size = (uint32_t)out.size;
	*end = SERVE_FAILED;
	sent = send_reply(reply, out.size);
	explicit_bzero(reply, HEADER_SIZE + out.size);
	return sent;
}

enum serve_end serve(serve_handler handler, void *context, size_t request_max, size_t reply_max)
{
	struct message *request = malloc(HEADER_SIZE + request_max + READ_SLACK);
	struct message *reply = malloc(HEADER_SIZE + reply_max);
	enum serve_end end = SERVE_FAILED;

	while (request && reply &&
	       serve_one(handler, context, request, request_max, reply, reply_max, &end))
		;
	free(request);
	free(reply);
	return end;
}

enum service_status serve_append(struct serve_output *out, const void *data, size_t size)
{
	if (size > out->capacity - out->size)
		return SERVICE_ERR_NO_MEMORY;
	if (size)
		memcpy(out->data + out->size, data, size);
	out->size += size;
	return SERVICE_OK;
}

static enum service_status call(int fd, struct message *message, size_t size,
				struct serve_output *reply)
{
	ssize_t got;

	if (!write_message(fd, message, size))
		return SERVICE_ERR_FAILED;
	got = read_message(fd, message, SERVE_CALL_MAX);
	if (got < (ssize_t)HEADER_SIZE || message->header.reply.size != (size_t)got - HEADER_SIZE)
		return SERVICE_ERR_FAILED;
	if (message->header.reply.status != SERVICE_OK)
		return message->header.reply.status;
	return serve_append(reply, message->payload, message->header.reply.size);
}

enum service_status serve_call(int fd, uint32_t op, const void *payload, size_t size,
			       struct serve_output *reply)
{
	struct message *message;
	enum service_status status;

	if (size > SERVE_CALL_MAX)
		return SERVICE_ERR_NO_MEMORY;
	message = malloc(HEADER_SIZE + SERVE_CALL_MAX);
	if (!message)
		return SERVICE_ERR_NO_MEMORY;
	message->header.request.op = op;
	message->header.request.size = (uint32_t)size;
	if (size)
		memcpy(message->payload, payload, size);
	status = call(fd, message, size, reply);
	explicit_bzero(message, HEADER_SIZE + SERVE_CALL_MAX); /* it may have been a key */
	free(message);
	return status;
}

void serve_logf(const char *format, ...)
{
	char line[160];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	serve_log(line);
}
