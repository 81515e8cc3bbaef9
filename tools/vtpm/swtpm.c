/* SPDX-License-Identifier: MIT */
/*
 * swtpm's sockets: raw TPM commands, or the simulator's SEND_COMMAND around them, on the data
 * channel; and its control channel, whose integers are big-endian and whose results are TPM 1.2
 * codes (swtpm_ioctls(3); rules that the page does not tell are those that swtpm 0.7 shows).
 */
#include <libtpms/tpm_library.h>
#include <libtpms/tpm_tis.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "services/vtpm/tpm.h"
#include "tools/cmd.h"
#include "tools/vtpm/server.h"

enum swtpm_command {
	SWTPM_GET_CAPABILITY = 1,
	SWTPM_INIT = 2,
	SWTPM_SHUTDOWN = 3,
	SWTPM_GET_ESTABLISHED = 4,
	SWTPM_SET_LOCALITY = 5,
	SWTPM_HASH_START = 6,
	SWTPM_HASH_DATA = 7,
	SWTPM_HASH_END = 8,
	SWTPM_CANCEL = 9,
	SWTPM_STORE_VOLATILE = 10,
	SWTPM_RESET_ESTABLISHED = 11,
	SWTPM_GET_STATE = 12,
	SWTPM_SET_STATE = 13,
	SWTPM_STOP = 14,
	SWTPM_GET_CONFIG = 15,
	SWTPM_SET_DATA_FD = 16,
	SWTPM_SET_BUFFER_SIZE = 17,
	SWTPM_GET_INFO = 18,
};

/* What the control channel can do: bits of swtpm's PTM_CAP_*. */
#define CAP_INIT (1u << 0)
#define CAP_SHUTDOWN (1u << 1)
#define CAP_GET_ESTABLISHED (1u << 2)
#define CAP_SET_LOCALITY (1u << 3)
#define CAP_HASHING (1u << 4)
#define CAP_CANCEL (1u << 5)
#define CAP_STORE_VOLATILE (1u << 6)
#define CAP_RESET_ESTABLISHED (1u << 7)
#define CAP_GET_STATE (1u << 8)
#define CAP_SET_STATE (1u << 9)
#define CAP_STOP (1u << 10)
#define CAP_GET_CONFIG (1u << 11)
#define CAP_SET_DATA_FD (1u << 12)
#define CAP_SET_BUFFER_SIZE (1u << 13)
#define CAP_GET_INFO (1u << 14)
#define CAP_SEND_COMMAND_HEADER (1u << 15)
#define CAPABILITIES                                                                               \
	(CAP_INIT | CAP_SHUTDOWN | CAP_GET_ESTABLISHED | CAP_SET_LOCALITY | CAP_HASHING |          \
	 CAP_CANCEL | CAP_STORE_VOLATILE | CAP_GET_STATE | CAP_SET_STATE | CAP_RESET_ESTABLISHED | \
	 CAP_STOP | CAP_GET_CONFIG | CAP_SET_DATA_FD | CAP_SET_BUFFER_SIZE | CAP_GET_INFO |        \
	 CAP_SEND_COMMAND_HEADER)

#define CONFIG_FILE_KEY 1u

/* TPM 1.2 result codes. */
#define RESULT_OK 0u
#define RESULT_BAD_PARAMETER 3u
#define RESULT_FAIL 9u
#define RESULT_BAD_ORDINAL 10u
#define RESULT_SIZE 23u
#define RESULT_IO_ERROR 31u
#define RESULT_BAD_LOCALITY 61u
#define RESULT_RETRY 0x800u

#define CODE_SIZE 4u
#define TPM_HEADER_SIZE 10u
#define SEND_COMMAND 8u	    /* MSSIM_SEND_COMMAND */
#define SEND_HEADER_SIZE 9u /* code, locality, size */
#define HASH_DATA_MAX (64u << 10)
#define INFO_PART_MAX 3072u
#define INFO_REQUEST_SIZE 16u  /* flags, offset, padding */
#define STATE_REQUEST_SIZE 12u /* flags, kind, and offset or size */

/* Of a request for state, and of the answer to one. */
#define STATE_OPEN 1u
#define STATE_SEALED 2u
/* Kinds of state. */
#define STATE_PERMANENT 1u
#define STATE_VOLATILE 2u
#define STATE_SAVED 3u /* of a TPM 1.2 */

static bool has_send_header(const uint8_t *bytes)
{
	return server_u32_at(bytes) == SEND_COMMAND;
}

static size_t measure_data(const uint8_t *bytes, size_t have)
{
	size_t header = TPM_HEADER_SIZE, size;

	if (have < TPM_HEADER_SIZE)
		return TPM_HEADER_SIZE;
	if (has_send_header(bytes)) {
		size = server_u32_at(bytes + CODE_SIZE + 1);
		return size > VTPM_COMMAND_MAX ? SERVER_BAD : SEND_HEADER_SIZE + size;
	}
	size = server_u32_at(bytes + 2);
	return size < header || size > VTPM_COMMAND_MAX ? SERVER_BAD : size;
}

/* The locality that comes with a header stays, as swtpm has it. */
static enum server_answer handle_data(struct server *server, struct server_client *client,
				      const uint8_t *request, size_t size)
{
	if (!has_send_header(request)) {
		server_execute(server, client, server->locality, request, size, false);
		return SERVER_ON;
	}
	if (request[CODE_SIZE] > VTPM_LOCALITY_MAX)
		return SERVER_CLOSE;
	server->locality = request[CODE_SIZE];
	server_execute(server, client, server->locality, request + SEND_HEADER_SIZE,
		       size - SEND_HEADER_SIZE, true);
	server_put_u32(client, 0);
	return SERVER_ON;
}

/* Bytes of payload that a request must have; in two of them the last say how many follow. */
static size_t payload_size(uint32_t command)
{
	switch (command) {
	case SWTPM_INIT:
	case SWTPM_SET_BUFFER_SIZE:
	case SWTPM_HASH_DATA:
		return 4;
	case SWTPM_SET_LOCALITY:
	case SWTPM_RESET_ESTABLISHED:
		return 1;
	case SWTPM_GET_INFO:
		return INFO_REQUEST_SIZE;
	case SWTPM_GET_STATE:
	case SWTPM_SET_STATE:
		return STATE_REQUEST_SIZE;
	default:
		return 0;
	}
}

static size_t measure_control(const uint8_t *bytes, size_t have)
{
	uint32_t command, length, most;
	size_t size;

	if (have < CODE_SIZE)
		return CODE_SIZE;
	command = server_u32_at(bytes);
	size = CODE_SIZE + payload_size(command);
	most = command == SWTPM_HASH_DATA   ? HASH_DATA_MAX
	       : command == SWTPM_SET_STATE ? STATE_FILE_WRAPPED_MAX
					    : 0;
	if (most == 0 || have < size)
		return size;
	length = server_u32_at(bytes + size - sizeof(length));
	return length > most ? SERVER_BAD : size + length;
}

static uint32_t set_locality(struct server *server, uint8_t locality)
{
	if (locality > VTPM_LOCALITY_MAX)
		return RESULT_BAD_LOCALITY;
	server->locality = locality;
	return RESULT_OK;
}

/* _TPM_Init; TPM2_Startup is whoever's that switched the TPM on. */
static uint32_t init(struct server *server)
{
	vtpm_device_power_off(server->device, true);
	return server_power_on(server) ? RESULT_OK : RESULT_FAIL;
}

static uint32_t power_off(struct server *server)
{
	vtpm_device_power_off(server->device, true);
	return RESULT_OK;
}

/* The flag is set by hashing at locality 4, and reset at locality 3 or 4. */
static uint32_t reset_established(uint8_t locality)
{
	uint32_t result;

	if (locality > VTPM_LOCALITY_MAX)
		return RESULT_BAD_LOCALITY;
	tpm_set_locality(locality);
	result = TPM_IO_TpmEstablished_Reset();
	tpm_set_locality(0);
	return result;
}

static void put_established(struct server_client *client)
{
	uint8_t answer[4] = { 0 }; /* the bit, and padding */
	TPM_BOOL established = 0;

	server_put_u32(client, TPM_IO_TpmEstablished_Get(&established));
	answer[0] = established;
	server_put(client, answer, sizeof(answer));
}

/* What a running TPM has is only told. */
static void put_buffer_size(struct server *server, struct server_client *client, uint32_t wanted)
{
	uint32_t size, least, most;

	if (wanted > 0 && server->device->on) {
		server_put_u32(client, RESULT_BAD_ORDINAL);
		return;
	}
	size = TPMLIB_SetBufferSize(wanted, &least, &most);
	server_put_u32(client, RESULT_OK);
	server_put_u32(client, size);
	server_put_u32(client, least);
	server_put_u32(client, most);
}

static uint32_t take_data_channel(struct server *server, struct server_client *client)
{
	/* swtpm says so, too, where it listens for command channels itself. */
	if (server->listens || server->has_data)
		return RESULT_IO_ERROR;
	if (client->passed < 0)
		return RESULT_BAD_PARAMETER;
	server->adopted = client->passed;
	server->has_data = true;
	client->passed = -1;
	return RESULT_OK;
}

/* A part of libtpms's description of itself, with its NUL. */
static void put_info(struct server_client *client, const uint8_t *payload)
{
	uint64_t flags = (uint64_t)server_u32_at(payload) << 32 | server_u32_at(payload + 4);
	uint32_t offset = server_u32_at(payload + 8), total, part;
	char *info = TPMLIB_GetInfo((enum TPMLIB_InfoFlags)flags);

	if (!info) {
		server_put_u32(client, RESULT_SIZE);
		return;
	}
	total = (uint32_t)strlen(info) + 1;
	if (offset >= total - 1) {
		server_put_u32(client, RESULT_BAD_PARAMETER);
	} else {
		part = total - offset < INFO_PART_MAX ? total - offset : INFO_PART_MAX;
		server_put_u32(client, RESULT_OK);
		server_put_u32(client, total);
		server_put_u32(client, part);
		server_put(client, info + offset, part);
	}
	free(info);
}

static bool find_kind(uint32_t kind, enum vtpm_state *state)
{
	*state = kind == STATE_VOLATILE ? VTPM_VOLATILE : VTPM_PERMANENT;
	return kind == STATE_PERMANENT || kind == STATE_VOLATILE;
}

/* A TPM 2.0 has nothing of the third kind: swtpm says that it is not there yet. */
static uint32_t give_state(struct server *server, const uint8_t *payload, struct file_bytes *state,
			   bool *sealed)
{
	uint32_t kind = server_u32_at(payload + 4);
	struct host_error error;
	enum vtpm_state which;

	if (!find_kind(kind, &which))
		return kind == STATE_SAVED ? RESULT_RETRY : RESULT_FAIL;
	if (vtpm_device_give_state(server->device, which, server_u32_at(payload) & STATE_OPEN,
				   state, sealed, &error))
		return RESULT_OK;
	cmd_error("vtpm: %s", error.text);
	return RESULT_FAIL;
}

/* All that lies behind the offset. */
static void put_state(struct server *server, struct server_client *client, const uint8_t *payload)
{
	uint32_t offset = server_u32_at(payload + 8), length;
	struct file_bytes state = { 0 };
	bool sealed = false;

	server_put_u32(client, give_state(server, payload, &state, &sealed));
	length = offset < state.size ? (uint32_t)(state.size - offset) : 0;
	server_put_u32(client, sealed ? STATE_SEALED : 0);
	server_put_u32(client, length);
	server_put_u32(client, length);
	if (length)
		server_put(client, state.data + offset, length);
	if (state.data)
		OPENSSL_cleanse(state.data, state.size);
	file_free(&state);
}

static uint32_t take_state(struct server *server, const uint8_t *payload, size_t size)
{
	struct host_error error;
	enum vtpm_state kind;

	if (server->device->on)
		return RESULT_BAD_ORDINAL;
	if (!find_kind(server_u32_at(payload + 4), &kind))
		return size || server_u32_at(payload + 4) != STATE_SAVED ? RESULT_BAD_PARAMETER
									 : RESULT_OK;
	if (vtpm_device_take_state(server->device, kind, payload + STATE_REQUEST_SIZE, size,
				   &error))
		return RESULT_OK;
	cmd_error("vtpm: the state that a client gives: %s", error.text);
	return RESULT_BAD_PARAMETER;
}

static uint32_t store_volatile(struct server *server)
{
	struct host_error error;

	if (vtpm_device_store_volatile(server->device, &error))
		return RESULT_OK;
	cmd_error("vtpm: %s", error.text);
	return RESULT_FAIL;
}

/* What a TPM that is off has no answer to. */
static bool wants_power(uint32_t command)
{
	return command == SWTPM_GET_ESTABLISHED || command == SWTPM_RESET_ESTABLISHED ||
	       command == SWTPM_HASH_START || command == SWTPM_HASH_DATA ||
	       command == SWTPM_HASH_END || command == SWTPM_CANCEL ||
	       command == SWTPM_STORE_VOLATILE || command == SWTPM_GET_STATE;
}

/* Commands whose answer is a result and nothing else. */
static uint32_t simple_result(struct server *server, struct server_client *client,
			      const uint8_t *request, size_t size)
{
	const uint8_t *payload = request + CODE_SIZE;

	switch (server_u32_at(request)) {
	case SWTPM_INIT:
		return init(server);
	case SWTPM_STOP:
	case SWTPM_SHUTDOWN:
		return power_off(server);
	case SWTPM_SET_LOCALITY:
		return set_locality(server, payload[0]);
	case SWTPM_HASH_START:
		return TPM_IO_Hash_Start();
	case SWTPM_HASH_DATA:
		return TPM_IO_Hash_Data(payload + 4, (uint32_t)(size - CODE_SIZE - 4));
	case SWTPM_HASH_END:
		return TPM_IO_Hash_End();
	case SWTPM_CANCEL: /* a command runs to its end */
		return RESULT_OK;
	case SWTPM_RESET_ESTABLISHED:
		return reset_established(payload[0]);
	case SWTPM_SET_DATA_FD:
		return take_data_channel(server, client);
	case SWTPM_STORE_VOLATILE:
		return store_volatile(server);
	case SWTPM_SET_STATE:
		return take_state(server, payload, size - CODE_SIZE - STATE_REQUEST_SIZE);
	default:
		return RESULT_BAD_ORDINAL;
	}
}

static enum server_answer handle_control(struct server *server, struct server_client *client,
					 const uint8_t *request, size_t size)
{
	uint32_t command = server_u32_at(request);

	if (wants_power(command) && !server->device->on) {
		server_put_u32(client, RESULT_BAD_ORDINAL);
		return SERVER_ON;
	}
	switch (command) {
	case SWTPM_GET_CAPABILITY:
		server_put_u32(client, RESULT_OK);
		server_put_u32(client, CAPABILITIES);
		break;
	case SWTPM_GET_ESTABLISHED:
		put_established(client);
		break;
	case SWTPM_GET_CONFIG:
		server_put_u32(client, RESULT_OK);
		server_put_u32(client, server->device->file && server->device->file->sealed
					       ? CONFIG_FILE_KEY
					       : 0);
		break;
	case SWTPM_SET_BUFFER_SIZE:
		put_buffer_size(server, client, server_u32_at(request + CODE_SIZE));
		break;
	case SWTPM_GET_INFO:
		put_info(client, request + CODE_SIZE);
		break;
	case SWTPM_GET_STATE:
		put_state(server, client, request + CODE_SIZE);
		break;
	default:
		server_put_u32(client, simple_result(server, client, request, size));
	}
	return command == SWTPM_SHUTDOWN ? SERVER_END : SERVER_ON;
}

const struct server_shape server_swtpm = {
	.channels = { [SERVER_COMMANDS] = { measure_data, handle_data, false },
		      [SERVER_CONTROL] = { measure_control, handle_control, true } },
};
