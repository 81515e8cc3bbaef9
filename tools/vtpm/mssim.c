/* SPDX-License-Identifier: MIT */
/* The protocol of the TPM 2.0 reference simulator (TpmTcpProtocol): all integers big-endian. */
#include "tools/vtpm/server.h"

enum mssim_code {
	MSSIM_POWER_ON = 1,
	MSSIM_POWER_OFF = 2,
	MSSIM_PHYS_PRES_ON = 3,
	MSSIM_PHYS_PRES_OFF = 4,
	MSSIM_SEND_COMMAND = 8,
	MSSIM_CANCEL_ON = 9,
	MSSIM_CANCEL_OFF = 10,
	MSSIM_NV_ON = 11,
	MSSIM_NV_OFF = 12,
	MSSIM_KEY_CACHE_ON = 13,
	MSSIM_KEY_CACHE_OFF = 14,
	MSSIM_HANDSHAKE = 15,
	MSSIM_RESET = 17,
	MSSIM_RESTART = 18,
	MSSIM_SESSION_END = 20,
	MSSIM_STOP = 21,
};

#define MSSIM_SERVER_VERSION 1u
#define MSSIM_PLATFORM_AVAILABLE 1u /* endpoint information */
#define MSSIM_FAILED 1u		    /* instead of the 0 that ends an answer */

#define CODE_SIZE 4u
#define COMMAND_HEADER_SIZE 9u /* code, locality, size */
#define HANDSHAKE_SIZE 8u      /* code, the client's version */

static size_t measure_command(const uint8_t *bytes, size_t have)
{
	uint32_t size;

	if (have < CODE_SIZE)
		return CODE_SIZE;
	switch (server_u32_at(bytes)) {
	case MSSIM_SEND_COMMAND:
		if (have < COMMAND_HEADER_SIZE)
			return COMMAND_HEADER_SIZE;
		size = server_u32_at(bytes + CODE_SIZE + 1);
		return size > VTPM_COMMAND_MAX ? SERVER_BAD : COMMAND_HEADER_SIZE + size;
	case MSSIM_HANDSHAKE:
		return HANDSHAKE_SIZE;
	default:
		return CODE_SIZE;
	}
}

/* A TPM that is off has an empty response, as in the simulator. */
static enum server_answer send_command(struct server *server, struct server_client *client,
				       const uint8_t *request, size_t size)
{
	if (server->device->on)
		server_execute(server, client, request[CODE_SIZE], request + COMMAND_HEADER_SIZE,
			       size - COMMAND_HEADER_SIZE, true);
	else
		server_put_u32(client, 0);
	server_put_u32(client, 0);
	return SERVER_ON;
}

static enum server_answer handle_command(struct server *server, struct server_client *client,
					 const uint8_t *request, size_t size)
{
	switch (server_u32_at(request)) {
	case MSSIM_SEND_COMMAND:
		return send_command(server, client, request, size);
	case MSSIM_HANDSHAKE:
		server_put_u32(client, MSSIM_SERVER_VERSION);
		server_put_u32(client, MSSIM_PLATFORM_AVAILABLE);
		server_put_u32(client, 0);
		return SERVER_ON;
	case MSSIM_STOP:
		return SERVER_END;
	default: /* the end of the session, or something that cannot be skipped */
		return SERVER_CLOSE;
	}
}

static size_t measure_platform(const uint8_t *bytes, size_t have)
{
	(void)bytes;
	(void)have;
	return CODE_SIZE;
}

/* As in the simulator, power fails without a warning: TPM2_Shutdown is the client's, too. */
static bool set_power(struct server *server, uint32_t code)
{
	if (code != MSSIM_POWER_ON)
		vtpm_device_power_off(server->device, false);
	return code == MSSIM_POWER_OFF || server_power_on(server);
}

static enum server_answer handle_platform(struct server *server, struct server_client *client,
					  const uint8_t *request, size_t size)
{
	uint32_t code = server_u32_at(request);

	(void)size;
	switch (code) {
	case MSSIM_POWER_ON:
	case MSSIM_POWER_OFF:
	case MSSIM_RESET:
	case MSSIM_RESTART:
		server_put_u32(client, set_power(server, code) ? 0 : MSSIM_FAILED);
		return SERVER_ON;
	/* There is no such pin; a command runs to its end; state is always there. */
	case MSSIM_PHYS_PRES_ON:
	case MSSIM_PHYS_PRES_OFF:
	case MSSIM_CANCEL_ON:
	case MSSIM_CANCEL_OFF:
	case MSSIM_NV_ON:
	case MSSIM_NV_OFF:
	case MSSIM_KEY_CACHE_ON:
	case MSSIM_KEY_CACHE_OFF:
		server_put_u32(client, 0);
		return SERVER_ON;
	case MSSIM_STOP:
		server_put_u32(client, 0);
		return SERVER_END;
	case MSSIM_SESSION_END:
		return SERVER_CLOSE;
	default:
		server_put_u32(client, MSSIM_FAILED);
		return SERVER_CLOSE;
	}
}

const struct server_shape server_mssim = {
	.channels = { [SERVER_COMMANDS] = { measure_command, handle_command, false },
		      [SERVER_CONTROL] = { measure_platform, handle_platform, false } },
};
