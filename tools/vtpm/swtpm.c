/* SPDX-License-Identifier: MIT */
/*
 * swtpm's sockets: raw TPM commands on the data port, and its control channel, whose integers are
 * big-endian and whose results are TPM 1.2 codes (swtpm_ioctls(3)).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "tools/vtpm/server.h"

enum swtpm_command {
	SWTPM_GET_CAPABILITY = 1,
	SWTPM_INIT = 2,
	SWTPM_SHUTDOWN = 3,
	SWTPM_GET_ESTABLISHED = 4,
	SWTPM_SET_LOCALITY = 5,
	SWTPM_CANCEL = 9,
	SWTPM_RESET_ESTABLISHED = 11,
	SWTPM_STOP = 14,
	SWTPM_GET_CONFIG = 15,
	SWTPM_SET_BUFFER_SIZE = 17,
};

/* What the control channel can do: bits of swtpm's PTM_CAP_*. */
#define CAP_INIT (1u << 0)
#define CAP_SHUTDOWN (1u << 1)
#define CAP_GET_ESTABLISHED (1u << 2)
#define CAP_SET_LOCALITY (1u << 3)
#define CAP_CANCEL (1u << 5)
#define CAP_RESET_ESTABLISHED (1u << 7)
#define CAP_STOP (1u << 10)
#define CAP_GET_CONFIG (1u << 11)
#define CAP_SET_BUFFER_SIZE (1u << 13)
#define CAPABILITIES                                                                     \
	(CAP_INIT | CAP_SHUTDOWN | CAP_GET_ESTABLISHED | CAP_SET_LOCALITY | CAP_CANCEL | \
	 CAP_RESET_ESTABLISHED | CAP_STOP | CAP_GET_CONFIG | CAP_SET_BUFFER_SIZE)

#define RESULT_OK 0u
#define RESULT_FAIL 9u
#define RESULT_BAD_ORDINAL 10u
#define RESULT_BAD_LOCALITY 61u

#define TPM_HEADER_SIZE 10u
#define CONTROL_MAX 4096u

static enum server_answer serve_data(struct server *server, int fd)
{
	uint8_t command[VTPM_COMMAND_MAX], response[VTPM_COMMAND_MAX];
	size_t response_size;
	uint32_t size;

	if (!server_read(fd, command, TPM_HEADER_SIZE))
		return SERVER_CLOSE;
	memcpy(&size, command + 2, sizeof(size));
	size = ntohl(size);
	if (size < TPM_HEADER_SIZE || size > sizeof(command) ||
	    !server_read(fd, command + TPM_HEADER_SIZE, size - TPM_HEADER_SIZE))
		return SERVER_CLOSE;
	if (!vtpm_device_execute(server->device, server->locality, command, size, response,
				 &response_size))
		response_size = server_failure(response);
	return server_going_on(server_write(fd, response, response_size));
}

/* A request: clients send it at once, some with more bytes than its command has. */
struct control_request {
	uint32_t command;
	uint8_t payload[CONTROL_MAX];
};

/* Takes what has been sent, and waits until it has as many bytes of payload as it must. */
static bool read_control(int fd, struct control_request *request)
{
	ssize_t got;
	size_t have, need = sizeof(request->command);

	memset(request, 0, sizeof(*request));
	do
		got = recv(fd, request, sizeof(*request), 0);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return false;
	have = (size_t)got;
	if (have < need && !server_read(fd, (uint8_t *)request + have, need - have))
		return false;
	have = have < need ? need : have;
	request->command = ntohl(request->command);
	if (request->command == SWTPM_SET_LOCALITY || request->command == SWTPM_RESET_ESTABLISHED)
		need += 1;
	else if (request->command == SWTPM_INIT || request->command == SWTPM_SET_BUFFER_SIZE)
		need += 4;
	return have >= need || server_read(fd, (uint8_t *)request + have, need - have);
}

static uint32_t set_locality(struct server *server, uint8_t locality)
{
	if (locality > VTPM_LOCALITY_MAX)
		return RESULT_BAD_LOCALITY;
	server->locality = locality;
	return RESULT_OK;
}

/* A reset, if it is on. */
static uint32_t init(struct server *server)
{
	vtpm_device_power_off(server->device);
	return server_power_on(server, false) ? RESULT_OK : RESULT_FAIL;
}

static uint32_t power_off(struct server *server)
{
	vtpm_device_power_off(server->device);
	return RESULT_OK;
}

/* The size is fixed; whatever is asked for, the answer says what it is, and within which bounds. */
static bool answer_buffer_size(int fd)
{
	return server_write_u32(fd, RESULT_OK) && server_write_u32(fd, VTPM_COMMAND_MAX) &&
	       server_write_u32(fd, VTPM_COMMAND_MAX) && server_write_u32(fd, VTPM_COMMAND_MAX);
}

static enum server_answer serve_control(struct server *server, int fd)
{
	struct control_request request;

	if (!read_control(fd, &request))
		return SERVER_CLOSE;
	switch (request.command) {
	case SWTPM_GET_CAPABILITY:
		return server_going_on(server_write_u32(fd, 0) &&
				       server_write_u32(fd, CAPABILITIES));
	case SWTPM_INIT:
		return server_going_on(server_write_u32(fd, init(server)));
	case SWTPM_STOP:
		return server_going_on(server_write_u32(fd, power_off(server)));
	case SWTPM_SHUTDOWN:
		server_write_u32(fd, power_off(server));
		return SERVER_END;
	case SWTPM_GET_ESTABLISHED: /* result, bit, padding */
	case SWTPM_GET_CONFIG:	    /* result, flags: nothing is encrypted */
		return server_going_on(server_write_u32(fd, RESULT_OK) && server_write_u32(fd, 0));
	case SWTPM_SET_LOCALITY:
		return server_going_on(
			server_write_u32(fd, set_locality(server, request.payload[0])));
	case SWTPM_RESET_ESTABLISHED:
	case SWTPM_CANCEL: /* a command runs to its end */
		return server_going_on(server_write_u32(fd, RESULT_OK));
	case SWTPM_SET_BUFFER_SIZE:
		return server_going_on(answer_buffer_size(fd));
	default:
		return server_going_on(server_write_u32(fd, RESULT_BAD_ORDINAL));
	}
}

const struct server_shape server_swtpm = { serve_data, serve_control };
