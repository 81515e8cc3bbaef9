/* SPDX-License-Identifier: MIT */
/*
 * The power switch of a vTPM and what is kept of it, over a TPM that is played: it answers what it
 * is told to, or nothing. tests/vtpm has the same with libtpms, which cannot be told to fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include "services/vtpm/manufacture.h"
#include "services/vtpm/state.h"
#include "services/vtpm/tpm.h"
#include "services/vtpm/tpm_command.h"
#include "tests/lib/scratch_dir.h"
#include "tools/cmd.h"
#include "tools/vtpm/device.h"
#include "tools/vtpm/profile_text.h"

#define SU_CLEAR 0u
#define SU_STATE 1u

/* ---- The TPM and whoever else is asked ---- */

enum answer {
	ANSWER_GOOD,
	ANSWER_ERROR, /* a response with an error */
	ANSWER_NONE,  /* no response at all: it is in pieces */
};

static struct {
	enum answer answers[4]; /* to one command after the other, then good */
	unsigned int commands;
	uint16_t types[4]; /* of TPM2_Shutdown */
	unsigned int powered_off;
	const struct state_keeper *keeper;
	bool no_memory; /* for the next allocation of a state's size */
	char said[256];
} played;

bool vtpm_execute(struct vtpm *vtpm, uint8_t locality, const uint8_t *command, size_t size,
		  uint8_t *response, size_t *response_size)
{
	static const uint8_t good[] = { 0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0 };
	enum answer answer = ANSWER_GOOD;

	(void)vtpm;
	(void)locality;
	assert_int_equal(size, 12);
	assert_int_equal(command[8] << 8 | command[9], 0x145); /* TPM2_Shutdown */
	assert_in_range(played.commands, 0, 3);
	played.types[played.commands] = (uint16_t)(command[10] << 8 | command[11]);
	answer = played.answers[played.commands++];
	if (answer == ANSWER_NONE)
		return false;
	memcpy(response, good, sizeof(good));
	if (answer == ANSWER_ERROR)
		response[8] = 1; /* TPM_RC_FAILURE is 0x101 */
	*response_size = sizeof(good);
	return true;
}

uint32_t tpm_command_code(const uint8_t *command, size_t size)
{
	(void)size;
	return (uint32_t)(command[8] << 8 | command[9]);
}

uint32_t tpm_response_code(const uint8_t *response, size_t size)
{
	(void)size;
	return (uint32_t)(response[8] << 8 | response[9]);
}

void tpm_store_with(tpm_store_function store, void *context)
{
	(void)store;
	(void)context;
}

void tpm_power_off(void)
{
	played.powered_off++;
}

bool tpm_volatile_state(struct tpm_state *state)
{
	(void)state;
	return false;
}

void tpm_free_state(struct tpm_state *state)
{
	(void)state;
}

bool manufacture(struct vtpm *vtpm)
{
	(void)vtpm;
	return true;
}

bool manufacture_resume(struct vtpm *vtpm, const uint8_t *state, size_t size,
			const struct tpm_state *volatile_state)
{
	(void)vtpm;
	(void)volatile_state;
	assert_int_equal(size, 5);
	assert_memory_equal(state, "state", 5);
	return true;
}

bool manufacture_certify(struct vtpm *vtpm, const struct certificates *certificates)
{
	(void)vtpm;
	(void)certificates;
	return true;
}

uint32_t tpm_startup_clear(void)
{
	return TPM_RC_SUCCESS;
}

uint32_t tpm_shutdown_clear(void)
{
	return TPM_RC_SUCCESS;
}

bool state_keep(struct vtpm *vtpm, const struct state_keeper *keeper)
{
	(void)vtpm;
	played.keeper = keeper;
	return keeper->store(keeper->context, (const uint8_t *)"state", 5);
}

bool state_file_load(struct state_file *file, struct file_bytes *state, struct host_error *error)
{
	(void)file;
	(void)state;
	return host_fail(error, "there is no file");
}

bool state_file_reserve(struct state_file *file)
{
	return !file;
}

bool state_file_store(struct state_file *file, const uint8_t *data, size_t size,
		      struct host_error *error)
{
	(void)file;
	(void)data;
	(void)size;
	return host_fail(error, "there is no file");
}

/* Nothing of a moved state is asked for here: tests/vtpm/swtpm_test.py moves some. */
bool state_file_wrap(const struct state_file *file, enum state_file_part part, bool seal,
		     const uint8_t *state, size_t size, struct file_bytes *wrapped, bool *sealed,
		     struct host_error *error)
{
	(void)file, (void)part, (void)seal, (void)state, (void)size, (void)wrapped, (void)sealed;
	return host_fail(error, "there is no file");
}

bool state_file_unwrap(const struct state_file *file, enum state_file_part part,
		       const uint8_t *wrapped, size_t size, struct file_bytes *state,
		       struct host_error *error)
{
	(void)file, (void)part, (void)wrapped, (void)size, (void)state;
	return host_fail(error, "there is no file");
}

bool state_file_store_once(const struct state_file *file, const uint8_t *state, size_t size,
			   struct host_error *error)
{
	(void)file, (void)state, (void)size;
	return host_fail(error, "there is no file");
}

bool state_file_take_once(const struct state_file *file, struct file_bytes *state,
			  struct host_error *error)
{
	(void)file, (void)state;
	return host_fail(error, "there is no file");
}

bool profile_text_same(const char *a, size_t a_size, const char *b, size_t b_size,
		       struct host_error *difference)
{
	(void)difference;
	return a_size == b_size && memcmp(a, b, a_size) == 0;
}

enum cmd_status cmd_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(played.said, sizeof(played.said), format, args);
	va_end(args);
	return CMD_MISUSE;
}

void *__wrap_malloc(size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return played.no_memory ? NULL : __real_malloc(size);
}

/* ---- The tests ---- */

static const char profile_text[] =
	"profile p\npcr-banks sha256\nplatform-auth empty\nmanifests 1\ncertificates none\n"
	"key ak-ecc-p256\nrole ak\nhierarchy endorsement\n"
	"template 0023000b00050072000000100018000b0003001000000000\n"
	"unique given\nhandle none\n";

static void open_device(struct vtpm_device *device)
{
	static char path[4096];
	struct host_error error = { "" };

	snprintf(path, sizeof(path), "%s/profile", scratch_dir_make());
	assert_true(file_write(path, profile_text, sizeof(profile_text) - 1, &error));
	memset(&played, 0, sizeof(played));
	if (!vtpm_device_open(device, path, NULL, -1, &error))
		fail_msg("%s", error.text);
	assert_false(device->on);
	memset(&played, 0, sizeof(played));
	assert_true(vtpm_device_power_on(device, &error));
	assert_true(device->on);
}

static void close_device(struct vtpm_device *device)
{
	vtpm_device_close(device);
	scratch_dir_remove();
}

static void shuts_down_once(void **state)
{
	struct vtpm_device device;

	(void)state;
	open_device(&device);
	vtpm_device_power_off(&device, true);
	assert_false(device.on);
	assert_int_equal(played.commands, 1);
	assert_int_equal(played.types[0], SU_STATE);
	vtpm_device_power_off(&device, true);
	assert_int_equal(played.commands, 1);
	assert_int_equal(played.powered_off, 1);
	close_device(&device);
	assert_int_equal(played.powered_off, 1);
}

/*
 * TPM2_Shutdown(STATE) is refused after TPM2_PCR_Allocate (TPM 2.0 Library part 3, TPM2_Shutdown).
 */
static void shuts_down_without_state(void **state)
{
	struct vtpm_device device;

	(void)state;
	open_device(&device);
	played.answers[0] = ANSWER_ERROR;
	vtpm_device_power_off(&device, true);
	assert_int_equal(played.commands, 2);
	assert_int_equal(played.types[0], SU_STATE);
	assert_int_equal(played.types[1], SU_CLEAR);
	assert_int_equal(played.powered_off, 1);
	close_device(&device);
}

/* A TPM that gives no response is off for it: neither asked nor switched off again. */
static void ends_with_the_tpm(void **state)
{
	(void)state;
	for (unsigned int last = 0; last < 2; last++) {
		struct vtpm_device device;

		open_device(&device);
		played.answers[0] = last ? ANSWER_ERROR : ANSWER_NONE;
		played.answers[1] = ANSWER_NONE;
		vtpm_device_power_off(&device, true);
		assert_false(device.on);
		assert_int_equal(played.commands, 1 + last);
		assert_int_equal(played.powered_off, 1);
		vtpm_device_power_off(&device, true);
		assert_int_equal(played.commands, 1 + last);
		assert_int_equal(played.powered_off, 1);
		close_device(&device);
		assert_int_equal(played.powered_off, 1);
	}
}

/*
 * The TPM is told, and goes into failure mode; a person is, too; and the last state is still there.
 */
static void says_that_memory_is_short(void **state)
{
	struct vtpm_device device;
	struct file_bytes before;
	struct host_error error;

	(void)state;
	open_device(&device);
	before = device.state;
	played.no_memory = true;
	assert_false(played.keeper->store(played.keeper->context, (const uint8_t *)"other", 5));
	played.no_memory = false;
	assert_string_equal(played.said, "vtpm: out of memory: the state cannot be stored");
	assert_ptr_equal(device.state.data, before.data);
	vtpm_device_power_off(&device, false);
	assert_int_equal(played.commands, 0);
	assert_true(vtpm_device_power_on(&device, &error)); /* from "state" */
	close_device(&device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shuts_down_once),
		cmocka_unit_test(shuts_down_without_state),
		cmocka_unit_test(ends_with_the_tpm),
		cmocka_unit_test(says_that_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
