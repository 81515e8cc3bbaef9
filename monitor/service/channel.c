/* SPDX-License-Identifier: MIT */
#include "monitor/service/channel.h"

#include <string.h>

#include "monitor/arch/arch.h"
#include "monitor/log/log.h"
#include "monitor/service/call.h"
#include "monitor/service/linux.h"
#include "monitor/service/process.h"

/* ---- The request channel ---- */

int64_t channel_deliver(struct service *service)
{
	const struct process_request *request = service->request;
	struct service_request header = { .op = request->op, .size = (uint32_t)request->size };
	size_t size = sizeof(header) + request->size;

	if (service->read_size < size)
		return -LINUX_EMSGSIZE;
	if (!space_check(&service->space, service->read_buffer, size, MAP_WRITE))
		return -LINUX_EFAULT;
	space_write(&service->space, service->read_buffer, &header, sizeof(header));
	space_write(&service->space, va(service->read_buffer.raw + sizeof(header)),
		    request->payload, request->size);
	service->request_taken = true;
	return (int64_t)size;
}

static int64_t read_request(struct service *service, va_t to, size_t size)
{
	service->read_buffer = to;
	service->read_size = size;
	if (service->request && !service->request_taken && !service->starting)
		return channel_deliver(service);
	if (service->request && !service->reply.data && !service->starting) {
		process_crash(service, "it asked for a request before it answered the last one");
		return 0;
	}
	process_set_state(service, PROCESS_READY);
	return 0;
}

static bool reply_ok(const struct message *message)
{
	struct service_reply header;

	memcpy(&header, message->data, sizeof(header));
	return header.size == message->size - sizeof(header) && header.status <= SERVICE_ERR_BUSY &&
	       (header.status == SERVICE_OK || header.size == 0);
}

static int64_t write_reply(struct service *service, va_t from, size_t size)
{
	struct message reply;

	if (!service->request || !service->request_taken || service->reply.data) {
		process_crash(service, "it answered without a request");
		return 0;
	}
	if (size < sizeof(struct service_reply) || size > SERVICE_MESSAGE_MAX) {
		process_crash(service, "the size of its reply is out of range");
		return 0;
	}
	if (!space_check(&service->space, from, size, MAP_READ))
		return -LINUX_EFAULT;
	if (!message_from_space(&reply, &service->owner, &service->space, from, size))
		return -LINUX_ENOMEM;
	service->reply = reply;
	if (!reply_ok(&reply)) {
		process_crash(service, "its reply contradicts itself");
		return 0;
	}
	return (int64_t)size;
}

/* ---- Channels to others: write() a request, read() its reply ---- */

static int64_t read_reply(struct service *service, struct channel *channel, va_t to, size_t size)
{
	size_t got = channel->reply.size;

	if (!channel->reply.data)
		return -LINUX_EAGAIN;
	if (size < got)
		return -LINUX_EMSGSIZE;
	if (!space_check(&service->space, to, got, MAP_WRITE))
		return -LINUX_EFAULT;
	space_write(&service->space, to, channel->reply.data, got);
	message_free(&channel->reply);
	return (int64_t)got;
}

/* Puts the header in front of a reply's payload and cuts the message to its size. */
static void finish_reply(struct message *reply, enum service_status status, size_t payload_size)
{
	struct service_reply header = { .status = status,
					.size = status == SERVICE_OK ? (uint32_t)payload_size : 0 };

	memcpy(reply->data, &header, sizeof(header));
	reply->size = sizeof(header) + header.size;
}

static int64_t ask_amdsp(struct service *service, struct channel *channel,
			 const struct service_request *header, const uint8_t *payload)
{
	struct message *reply = &channel->reply;
	enum service_status status;
	size_t size;

	if (!message_alloc(reply, &service->owner,
			   sizeof(struct service_reply) + AMDSP_SEND_REPLY_MAX))
		return -LINUX_ENOMEM;
	status = amdsp_request(channel->amdsp, header->op, payload, header->size,
			       reply->data + sizeof(struct service_reply),
			       reply->size - sizeof(struct service_reply), &size);
	finish_reply(reply, status, size);
	return 0;
}

/* The reply is the called service's memory; a copy in ours leaves its budget alone. */
static int64_t ask_service(struct service *service, struct channel *channel,
			   const struct service_request *header, const uint8_t *payload)
{
	const struct process_request request = { .op = header->op,
						 .payload = payload,
						 .size = header->size };
	struct call_result answer = call_start(channel->service, &request);
	size_t size = answer.reply.data ? answer.reply.size : sizeof(struct service_reply);
	int64_t result = 0;

	if (!message_alloc(&channel->reply, &service->owner, size))
		result = -LINUX_ENOMEM;
	else if (answer.reply.data)
		memcpy(channel->reply.data, answer.reply.data, size);
	else
		finish_reply(&channel->reply, answer.status, 0);
	message_free(&answer.reply);
	return result;
}

static int64_t write_request(struct service *service, struct channel *channel, va_t from,
			     size_t size)
{
	struct service_request header;
	struct message message;
	int64_t result;

	if (channel->reply.data)
		return -LINUX_EBUSY;
	if (size < sizeof(header) || size > SERVICE_MESSAGE_MAX)
		return -LINUX_EMSGSIZE;
	if (!space_check(&service->space, from, size, MAP_READ))
		return -LINUX_EFAULT;
	if (!message_from_space(&message, &service->owner, &service->space, from, size))
		return -LINUX_ENOMEM;
	memcpy(&header, message.data, sizeof(header));
	if (header.size != size - sizeof(header))
		result = -LINUX_EINVAL;
	else if (channel->grant->kind == GRANT_SERVICE && (header.op & SERVICE_OP_MONITOR))
		result = -LINUX_EPERM;
	else if (channel->grant->kind == GRANT_AMDSP)
		result = ask_amdsp(service, channel, &header, message.data + sizeof(header));
	else
		result = ask_service(service, channel, &header, message.data + sizeof(header));
	message_free(&message);
	return result ? result : (int64_t)size;
}

/* ---- Streams ---- */

/* At most SERVICE_STREAM_MAX bytes at once, like a full pipe; the caller goes on with the rest. */
static size_t stream_size(uint64_t size)
{
	return size < SERVICE_STREAM_MAX ? size : SERVICE_STREAM_MAX;
}

static int64_t write_stream(struct service *service, const struct channel *channel, va_t from,
			    size_t size)
{
	char bytes[SERVICE_STREAM_MAX];
	size_t moved = size;

	if (!space_check(&service->space, from, size, MAP_READ))
		return -LINUX_EFAULT;
	space_read(&service->space, bytes, from, size);
	if (channel->grant->kind == GRANT_LOG)
		log_text(service->conf->name, bytes, size);
	else if (!arch_host_channel_write(bytes, size, &moved))
		return -LINUX_ENXIO;
	return (int64_t)moved;
}

static int64_t read_host(struct service *service, va_t to, size_t size)
{
	char bytes[SERVICE_STREAM_MAX];
	size_t moved;

	if (!space_check(&service->space, to, size, MAP_WRITE))
		return -LINUX_EFAULT;
	if (!arch_host_channel_read(bytes, size, &moved))
		return -LINUX_ENXIO;
	space_write(&service->space, to, bytes, moved);
	return (int64_t)moved;
}

static int64_t read_file(struct service *service, struct channel *channel, va_t to, uint64_t size)
{
	size_t left = channel->size - channel->position;
	size_t got = size < left ? size : left;

	if (!space_check(&service->space, to, got, MAP_WRITE))
		return -LINUX_EFAULT;
	space_write(&service->space, to, channel->data + channel->position, got);
	channel->position += got;
	return (int64_t)got;
}

/* ---- read(2) and write(2) ---- */

static struct channel *find_channel(struct service *service, uint64_t fd)
{
	if (fd >= CONF_FDS || !service->channels[fd].grant)
		return NULL;
	return &service->channels[fd];
}

int64_t channel_read(struct service *service, uint64_t fd, va_t to, uint64_t size)
{
	struct channel *channel = find_channel(service, fd);

	if (fd == SERVICE_FD_REQUESTS)
		return read_request(service, to, size);
	if (!channel)
		return -LINUX_EBADF;
	switch (channel->grant->kind) {
	case GRANT_AMDSP:
	case GRANT_SERVICE:
		return read_reply(service, channel, to, size);
	case GRANT_HOST_CHANNEL:
		return read_host(service, to, stream_size(size));
	case GRANT_FILE:
		return read_file(service, channel, to, size);
	default:
		return -LINUX_EBADF;
	}
}

int64_t channel_write(struct service *service, uint64_t fd, va_t from, uint64_t size)
{
	struct channel *channel = find_channel(service, fd);

	if (fd == SERVICE_FD_REQUESTS)
		return write_reply(service, from, size);
	if (!channel)
		return -LINUX_EBADF;
	switch (channel->grant->kind) {
	case GRANT_AMDSP:
	case GRANT_SERVICE:
		return write_request(service, channel, from, size);
	case GRANT_LOG:
	case GRANT_HOST_CHANNEL:
		return write_stream(service, channel, from, stream_size(size));
	default:
		return -LINUX_EBADF;
	}
}
