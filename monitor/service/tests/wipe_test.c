/* SPDX-License-Identifier: MIT */
/*
 * What is left of a TPM command when the monitor dies within it: a guest's command with an
 * authorization value comes in by the vTPM protocol and goes to a service, die() comes somewhere on
 * the way, and then no byte of the value is in the memory of the monitor or of its services.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/mem/guest_copy.h"
#include "monitor/protocol/protocol.h"
#include "monitor/service/linux.h"
#include "monitor/service/service.h"
#include "monitor/service/tests/harness.h"

#define BUFFER (PROGRAM_DATA + 0x1000)
#define COMMAND_SIZE 64u
#define SECRET_AT 40u /* in the command, and in the response */
#define SECRET_SIZE 16u

/* Where the monitor dies. */
static enum place {
	NOWHERE,
	COMMAND_COPIED, /* before the service gets it */
	SERVICE_RUNS,	/* in the exception of a service, say */
	REPLY_COPIED,	/* before the guest gets it */
} dies_at;

static bool parked;

/* Made as it is needed, so that what the test itself keeps in memory is not found. */
static uint8_t secret_byte(size_t i)
{
	return (uint8_t)(0x9d + 37 * i);
}

static void put_secret(uint8_t *to)
{
	for (size_t i = 0; i < SECRET_SIZE; i++)
		to[i] = secret_byte(i);
}

/* Nothing is done ahead here. */
bool svsm_attest_prepare(void)
{
	return false;
}

/* ---- The guest ---- */

bool guest_range_ok(unsigned int vmpl, gpa_t at, uint64_t size, uint64_t rights)
{
	(void)vmpl;
	(void)rights;
	(void)at;
	(void)size;
	return true;
}

bool guest_copy_in(unsigned int vmpl, void *to, gpa_t from, size_t size)
{
	const struct svsm_vtpm_cmd_req req = { .command = SVSM_VTPM_SEND_COMMAND,
					       .size = COMMAND_SIZE };

	(void)vmpl;
	if (from.raw == 0) {
		memcpy(to, &req, size);
		return true;
	}
	check(size == COMMAND_SIZE);
	memset(to, 0, size);
	put_secret((uint8_t *)to + SECRET_AT);
	if (dies_at == COMMAND_COPIED)
		die(DIE_BUG, "in the middle of a command");
	return true;
}

bool guest_copy_out(unsigned int vmpl, gpa_t to, const void *from, size_t size)
{
	(void)vmpl;
	(void)to;
	(void)from;
	(void)size;
	if (dies_at == REPLY_COPIED)
		die(DIE_BUG, "in the middle of a command");
	return true;
}

/*
 * ---- The service: it has the value in its memory, its registers, its FX state and its reply ----
 */

static enum user_exit keep_secret(struct user_context *context, unsigned int step)
{
	uint8_t message[COMMAND_SIZE] = { 0 };

	put_secret(message + SECRET_AT);
	if (step == 0 && !parked)
		return sys(context, LINUX_READ, SERVICE_FD_REQUESTS, BUFFER, 4096);
	memcpy(context->fx + 160, message + SECRET_AT, SECRET_SIZE);
	memcpy(&context->regs.r12, message + SECRET_AT, SECRET_SIZE);
	poke(context, BUFFER + 0x800, message, sizeof(message));
	if (step % 2 == 0)
		return sys(context, LINUX_READ, SERVICE_FD_REQUESTS, BUFFER, 4096);
	if (dies_at == SERVICE_RUNS)
		die(DIE_BUG, "in the middle of a command");
	return sys_reply(context, SERVICE_OK, message, sizeof(message));
}

static void start(void)
{
	static const char conf[] = "service a\nexec a\nrole vtpm\nmemory 512K\nbudget 60s\n";
	static const char parked_conf[] =
		"service a\nexec a\nrole twin\nparked\nmemory 512K\nbudget 60s\n";
	const char *text = parked ? parked_conf : conf;
	struct socle_params params;

	harness_init();
	harness_add_packed(CONF_FILE, text, strlen(text));
	harness_add_program("a", 0, keep_secret);
	params = harness_params();
	svsm_vtpm_init();
	services_start(&params);
}

static void command(void)
{
	struct svsm_call call = { .rcx = 0 };

	check(svsm_vtpm_cmd(&call) == SVSM_SUCCESS);
}

/* ---- The memory of the process: all that is not stack ---- */

extern uint8_t __data_start[], _end[];

/* In pieces of eight bytes, as registers hold them. */
__attribute__((no_sanitize("address"))) static unsigned int secrets_in_memory(void)
{
	const volatile uint8_t *at = __data_start;
	unsigned int found = 0;

	for (; at + SECRET_SIZE <= _end; at++) {
		for (size_t half = 0; half < SECRET_SIZE; half += 8) {
			size_t same = 0;

			while (same < 8 && at[same] == secret_byte(half + same))
				same++;
			found += same == 8;
		}
	}
	return found;
}

static void dies_and_leaves_nothing(void)
{
	start();
	check(dies(command) == DIE_BUG);
	check(secrets_in_memory() == 0);
}

static void copied_body(void)
{
	dies_at = COMMAND_COPIED;
	dies_and_leaves_nothing();
}

static void running_body(void)
{
	dies_at = SERVICE_RUNS;
	dies_and_leaves_nothing();
}

static void replied_body(void)
{
	dies_at = REPLY_COPIED;
	dies_and_leaves_nothing();
}

static void nothing_of_a_command_is_left(void **state)
{
	(void)state;
	run_alone(copied_body);
	run_alone(running_body);
	run_alone(replied_body);
}

/* After a command the service still has what it wants to have, and the monitor nothing. */
static void control_body(void)
{
	start();
	check(secrets_in_memory() == 0);
	command();
	check(secrets_in_memory() > 0);
}

static void the_scan_finds_what_is_there(void **state)
{
	(void)state;
	run_alone(control_body);
}

static void die_now(void)
{
	die(DIE_BUG, "between two calls");
}

/* A parked service's registers are kept twice. */
static void parked_body(void)
{
	parked = true;
	start();
	check(secrets_in_memory() >= 4);
	check(dies(die_now) == DIE_BUG);
	check(secrets_in_memory() == 0);
}

static void nothing_of_a_snapshot_is_left(void **state)
{
	(void)state;
	run_alone(parked_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_scan_finds_what_is_there),
		cmocka_unit_test(nothing_of_a_command_is_left),
		cmocka_unit_test(nothing_of_a_snapshot_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
