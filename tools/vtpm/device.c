/* SPDX-License-Identifier: MIT */
#include "tools/vtpm/device.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "services/vtpm/manufacture.h"
#include "services/vtpm/state.h"
#include "services/vtpm/tpm.h"
#include "services/vtpm/tpm_command.h"
#include "tools/cmd.h"
#include "tools/vtpm/profile_text.h"

#define TPM_HEADER_SIZE 10u
#define TPM_ST_NO_SESSIONS 0x8001u
#define TPM_CC_STARTUP 0x144u
#define TPM_CC_SHUTDOWN 0x145u
#define TPM_SU_CLEAR 0u
#define TPM_SU_STATE 1u
#define TPM_RC_NV_UNAVAILABLE 0x923u
#define STORE_AGAIN_MS 250

_Static_assert(sizeof(uint32_t) + PROFILE_SIZE_MAX + STATE_MAX <= STATE_FILE_MAX, "any state fits");

static void forget(struct file_bytes *bytes)
{
	if (bytes->data)
		OPENSSL_cleanse(bytes->data, bytes->size);
	file_free(bytes);
}

/* What is kept: the size of the profile's text, the text, and the vtpm's own state. */
static bool pack_state(const struct vtpm_device *device, const uint8_t *state, size_t size,
		       struct file_bytes *packed)
{
	uint32_t text_size = (uint32_t)device->profile_text.size;
	uint8_t *at;

	packed->size = sizeof(text_size) + text_size + size;
	packed->data = at = malloc(packed->size);
	if (!at)
		return false;
	memcpy(at, &text_size, sizeof(text_size));
	memcpy(at + sizeof(text_size), device->profile_text.data, text_size);
	memcpy(at + sizeof(text_size) + text_size, state, size);
	return true;
}

/* The two parts of what is kept, within it. */
struct packed_state {
	const uint8_t *text, *state;
	size_t text_size, state_size;
};

static bool unpack_state(const struct file_bytes *packed, struct packed_state *parts)
{
	struct bytes_reader r = bytes_reader_init(packed->data, packed->size);

	parts->text_size = bytes_le32(&r);
	parts->text = bytes_take(&r, parts->text_size);
	parts->state_size = bytes_left(&r);
	parts->state = bytes_take(&r, parts->state_size);
	return parts->text && parts->state;
}

/* False when the process is to end. */
static bool wait_before_again(const struct vtpm_device *device)
{
	struct pollfd stop = { .fd = device->stop, .events = POLLIN };

	return poll(&stop, 1, STORE_AGAIN_MS) == 0 || (stop.revents & POLLIN) == 0;
}

/*
 * There is room on the disk, for it was set aside before the command began (may_execute()). What is
 * left is a disk that fails, or one that cannot set room aside: the command waits for it, for a TPM
 * that was told of a failure would have to be started again.
 */
static bool store_in_file(struct vtpm_device *device, const struct file_bytes *packed)
{
	struct host_error error;
	bool told = false;

	while (!state_file_store(device->file, packed->data, packed->size, &error)) {
		if (!told)
			cmd_error("vtpm: %s; trying again", error.text);
		told = true;
		if (!wait_before_again(device))
			return false;
	}
	return true;
}

static bool store(void *context, const uint8_t *state, size_t size)
{
	struct vtpm_device *device = context;
	struct file_bytes packed;

	if (!pack_state(device, state, size, &packed)) {
		cmd_error("vtpm: out of memory: the state cannot be stored");
		return false;
	}
	if (device->file && !store_in_file(device, &packed)) {
		forget(&packed);
		return false;
	}
	forget(&device->state);
	device->state = packed;
	return true;
}

static bool read_profile(struct vtpm_device *device, struct host_error *error)
{
	struct profile_error wrong;
	struct host_error reason;

	if (!file_read(device->profile_path, PROFILE_SIZE_MAX - 1, &device->profile_text, &reason))
		return host_fail(error, "%s: %s", device->profile_path, reason.text);
	if (profile_parse(&device->profile, (const char *)device->profile_text.data,
			  device->profile_text.size, &wrong))
		return true;
	return host_fail(error, "%s:%u: %s", device->profile_path, wrong.line, wrong.reason);
}

bool vtpm_device_profile_check(const char *profile, struct host_error *error)
{
	struct vtpm_device *device = calloc(1, sizeof(*device));
	bool ok;

	if (!device)
		return host_fail(error, "out of memory");
	device->profile_path = profile;
	ok = read_profile(device, error);
	file_free(&device->profile_text);
	free(device);
	return ok;
}

static bool same_profile(const struct vtpm_device *device, const struct file_bytes *state,
			 struct host_error *error)
{
	struct packed_state parts;
	struct host_error difference;

	if (!unpack_state(state, &parts))
		return host_fail(error, "the state is damaged");
	if (profile_text_same((const char *)parts.text, parts.text_size,
			      (const char *)device->profile_text.data, device->profile_text.size,
			      &difference))
		return true;
	return host_fail(error, "%s: the state was made by another profile: %.300s",
			 device->profile_path, difference.text);
}

static void cut_power(struct vtpm_device *device)
{
	tpm_store_with(NULL, NULL);
	tpm_power_off();
	device->on = false;
}

static uint32_t execute_simple(struct vtpm_device *device, uint32_t code, uint16_t type)
{
	const uint8_t command[] = { 0x80,
				    1,
				    0,
				    0,
				    0,
				    12,
				    0,
				    0,
				    (uint8_t)(code >> 8),
				    (uint8_t)code,
				    (uint8_t)(type >> 8),
				    (uint8_t)type };
	uint8_t response[VTPM_COMMAND_MAX];
	size_t size;

	if (!vtpm_device_execute(device, 0, command, sizeof(command), response, &size))
		return TPM_RC_NONE;
	return tpm_response_code(response, size);
}

/* A new TPM is what the first power-on starts from, too: it has been on once. */
static bool make_new(struct vtpm_device *device, struct host_error *error)
{
	device->on = manufacture(&device->vtpm) && state_keep(&device->vtpm, &device->keeper);
	if (device->on && execute_simple(device, TPM_CC_SHUTDOWN, TPM_SU_CLEAR) == TPM_RC_SUCCESS) {
		vtpm_device_power_off(device, true);
		return true;
	}
	vtpm_device_power_off(device, false);
	return host_fail(error, "no TPM can be made by %s; the log tells why",
			 device->profile_path);
}

static void forget_moved(struct vtpm_device *device)
{
	for (int i = 0; i < VTPM_STATES; i++)
		forget(&device->moved[i]);
}

bool vtpm_device_open(struct vtpm_device *device, const char *profile, struct state_file *file,
		      int stop, struct host_error *error)
{
	*device = (struct vtpm_device){
		.profile_path = profile, .file = file, .stop = stop, .keeper = { store, device }
	};
	device->vtpm.profile = &device->profile;
	if (!read_profile(device, error))
		return false;
	if (file && !state_file_load(file, &device->state, error))
		return false;
	return device->state.data ? same_profile(device, &device->state, error)
				  : make_new(device, error);
}

void vtpm_device_close(struct vtpm_device *device)
{
	vtpm_device_power_off(device, true);
	forget_moved(device);
	forget(&device->state);
	file_free(&device->profile_text);
}

/* What was stored by vtpm_device_store_volatile(), unless something was taken from elsewhere. */
static bool find_volatile(struct vtpm_device *device, struct host_error *error)
{
	struct file_bytes stored;

	if (!device->file)
		return true;
	if (!state_file_take_once(device->file, &stored, error))
		return false;
	if (device->moved[VTPM_PERMANENT].data || device->moved[VTPM_VOLATILE].data)
		forget(&stored);
	else
		device->moved[VTPM_VOLATILE] = stored;
	return true;
}

static bool start(struct vtpm_device *device, struct host_error *error)
{
	const struct file_bytes *moved = device->moved;
	const struct file_bytes *permanent = moved[VTPM_PERMANENT].data ? &moved[VTPM_PERMANENT]
									: &device->state;
	struct tpm_state volatile_state = { moved[VTPM_VOLATILE].data,
					    (uint32_t)moved[VTPM_VOLATILE].size };
	struct packed_state parts;

	device->vtpm = (struct vtpm){ .profile = &device->profile };
	device->orderly = false;
	if (!unpack_state(permanent, &parts) ||
	    !manufacture_resume(&device->vtpm, parts.state, parts.state_size, &volatile_state))
		return host_fail(error, "the TPM does not start; the log tells why");
	device->on = true;
	if (state_keep(&device->vtpm, &device->keeper))
		return true;
	vtpm_device_power_off(device, false);
	return host_fail(error, "the state cannot be stored");
}

/* What was taken from elsewhere is good for one start. */
bool vtpm_device_power_on(struct vtpm_device *device, struct host_error *error)
{
	bool ok = device->on || (find_volatile(device, error) && start(device, error));

	forget_moved(device);
	return ok;
}

/* From then on cutting power changes nothing: no TPM2_Shutdown comes behind what was given. */
static bool give_volatile(struct vtpm_device *device, bool open, struct file_bytes *state,
			  bool *sealed, struct host_error *error)
{
	struct tpm_state now;
	bool ok = tpm_volatile_state(&now) || host_fail(error, "the TPM does not give its state");

	ok = ok && state_file_wrap(device->file, STATE_FILE_VOLATILE, !open, now.data, now.size,
				   state, sealed, error);
	tpm_free_state(&now);
	device->orderly |= ok;
	return ok;
}

/* The permanent part is what was stored last, for a TPM stores it before it answers. */
bool vtpm_device_give_state(struct vtpm_device *device, enum vtpm_state kind, bool open,
			    struct file_bytes *state, bool *sealed, struct host_error *error)
{
	if (!device->on)
		return host_fail(error, "the TPM is off");
	return kind == VTPM_VOLATILE ? give_volatile(device, open, state, sealed, error)
				     : state_file_wrap(device->file, STATE_FILE_PERMANENT, !open,
						       device->state.data, device->state.size,
						       state, sealed, error);
}

bool vtpm_device_take_state(struct vtpm_device *device, enum vtpm_state kind, const uint8_t *state,
			    size_t size, struct host_error *error)
{
	enum state_file_part part = kind == VTPM_VOLATILE ? STATE_FILE_VOLATILE
							  : STATE_FILE_PERMANENT;
	struct file_bytes taken = { 0 };

	if (device->on)
		return host_fail(error, "the TPM is on");
	if (size && !state_file_unwrap(device->file, part, state, size, &taken, error))
		return false;
	if (size && kind == VTPM_PERMANENT && !same_profile(device, &taken, error)) {
		forget(&taken);
		return false;
	}
	forget(&device->moved[kind]);
	device->moved[kind] = taken;
	return true;
}

/* Without a directory there is nothing that it could outlive. */
bool vtpm_device_store_volatile(struct vtpm_device *device, struct host_error *error)
{
	struct tpm_state now;
	bool ok = (device->on && tpm_volatile_state(&now)) ||
		  host_fail(error, "the TPM does not give its state");

	if (!ok)
		return false;
	ok = !device->file || state_file_store_once(device->file, now.data, now.size, error);
	tpm_free_state(&now);
	device->orderly |= ok;
	return ok;
}

/* Directly, not as a client: after that the platform's authorization is the profile's matter. */
static bool certify(struct vtpm_device *device, const struct certificates *certificates)
{
	return tpm_startup_clear() == TPM_RC_SUCCESS &&
	       manufacture_certify(&device->vtpm, certificates) &&
	       tpm_shutdown_clear() == TPM_RC_SUCCESS && state_keep(&device->vtpm, &device->keeper);
}

bool vtpm_device_certify(struct vtpm_device *device, const struct certificates *certificates,
			 struct host_error *error)
{
	bool ok;

	tpm_store_with(NULL, NULL);
	ok = certify(device, certificates);
	vtpm_device_power_off(device, false);
	return ok || host_fail(error, "the certificates cannot be stored; the log tells why");
}

uint32_t vtpm_device_startup(struct vtpm_device *device, uint16_t type)
{
	return execute_simple(device, TPM_CC_STARTUP, type);
}

void vtpm_device_power_off(struct vtpm_device *device, bool orderly)
{
	if (!device->on)
		return;
	if (orderly && !device->orderly &&
	    execute_simple(device, TPM_CC_SHUTDOWN, TPM_SU_STATE) != TPM_RC_SUCCESS)
		execute_simple(device, TPM_CC_SHUTDOWN, TPM_SU_CLEAR);
	if (device->on) /* a TPM that cannot go on has none any more */
		cut_power(device);
}

/*
 * A command without a session has no authorization whose use could be counted, and of those that
 * need none only these two write NV memory (TPM 2.0 Library part 2, TPMA_CC.nv).
 */
static bool may_store(const uint8_t *command, size_t size)
{
	uint32_t code = tpm_command_code(command, size);

	return size < 2 || command[0] != TPM_ST_NO_SESSIONS >> 8 ||
	       command[1] != (TPM_ST_NO_SESSIONS & 0xff) || code == TPM_CC_STARTUP ||
	       code == TPM_CC_SHUTDOWN;
}

static bool may_execute(struct vtpm_device *device, const uint8_t *command, size_t size)
{
	return !device->file || !may_store(command, size) || state_file_reserve(device->file);
}

static size_t put_nv_unavailable(uint8_t *response)
{
	static const uint8_t unavailable[TPM_HEADER_SIZE] = {
		0x80, 1, 0, 0, 0, 10, 0, 0, TPM_RC_NV_UNAVAILABLE >> 8, TPM_RC_NV_UNAVAILABLE & 0xff
	};

	memcpy(response, unavailable, sizeof(unavailable));
	return sizeof(unavailable);
}

bool vtpm_device_execute(struct vtpm_device *device, uint8_t locality, const uint8_t *command,
			 size_t size, uint8_t *response, size_t *response_size)
{
	if (!device->on || size > VTPM_COMMAND_MAX || locality > VTPM_LOCALITY_MAX)
		return false;
	if (!may_execute(device, command, size)) {
		*response_size = put_nv_unavailable(response);
		return true;
	}
	if (!vtpm_execute(&device->vtpm, locality, command, size, response, response_size)) {
		cut_power(device);
		return false;
	}
	device->orderly = tpm_command_code(command, size) == TPM_CC_SHUTDOWN &&
			  tpm_response_code(response, *response_size) == TPM_RC_SUCCESS;
	return true;
}
