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

/* A TPM that is off has an empty response, as in the simulator. */
static enum server_answer send_command(struct server *server, int fd)
{
	uint8_t command[VTPM_COMMAND_MAX], response[VTPM_COMMAND_MAX], locality;
	size_t response_size = 0;
	uint32_t size;

	if (!server_read(fd, &locality, 1) || !server_read_u32(fd, &size) ||
	    size > sizeof(command) || !server_read(fd, command, size))
		return SERVER_CLOSE;
	if (locality > VTPM_LOCALITY_MAX ||
	    !vtpm_device_execute(server->device, locality, command, size, response, &response_size))
		response_size = server->device->on ? server_failure(response) : 0;
	return server_going_on(server_write_u32(fd, (uint32_t)response_size) &&
			       server_write(fd, response, response_size) &&
			       server_write_u32(fd, 0));
}

static enum server_answer handshake(int fd)
{
	uint32_t client_version;

	return server_going_on(server_read_u32(fd, &client_version) &&
			       server_write_u32(fd, MSSIM_SERVER_VERSION) &&
			       server_write_u32(fd, MSSIM_PLATFORM_AVAILABLE) &&
			       server_write_u32(fd, 0));
}

static enum server_answer serve_command(struct server *server, int fd)
{
	uint32_t code;

	if (!server_read_u32(fd, &code))
		return SERVER_CLOSE;
	switch (code) {
	case MSSIM_SEND_COMMAND:
		return send_command(server, fd);
	case MSSIM_HANDSHAKE:
		return handshake(fd);
	case MSSIM_STOP:
		return SERVER_END;
	default: /* the end of the session, or something that cannot be skipped */
		return SERVER_CLOSE;
	}
}

/* TPM2_Startup comes from whoever switched the TPM on. */
static bool set_power(struct server *server, uint32_t code)
{
	if (code != MSSIM_POWER_ON)
		vtpm_device_power_off(server->device);
	return code == MSSIM_POWER_OFF || server_power_on(server, true);
}

static enum server_answer serve_platform(struct server *server, int fd)
{
	uint32_t code;

	if (!server_read_u32(fd, &code))
		return SERVER_CLOSE;
	switch (code) {
	case MSSIM_POWER_ON:
	case MSSIM_POWER_OFF:
	case MSSIM_RESET:
	case MSSIM_RESTART:
		return server_going_on(
			server_write_u32(fd, set_power(server, code) ? 0 : MSSIM_FAILED));
	/* There is no such pin; a command runs to its end; state is always there. */
	case MSSIM_PHYS_PRES_ON:
	case MSSIM_PHYS_PRES_OFF:
	case MSSIM_CANCEL_ON:
	case MSSIM_CANCEL_OFF:
	case MSSIM_NV_ON:
	case MSSIM_NV_OFF:
	case MSSIM_KEY_CACHE_ON:
	case MSSIM_KEY_CACHE_OFF:
		return server_going_on(server_write_u32(fd, 0));
	case MSSIM_STOP:
		server_write_u32(fd, 0);
		return SERVER_END;
	case MSSIM_SESSION_END:
		return SERVER_CLOSE;
	default:
		server_write_u32(fd, MSSIM_FAILED);
		return SERVER_CLOSE;
	}
}

const struct server_shape server_mssim = { serve_command, serve_platform };
