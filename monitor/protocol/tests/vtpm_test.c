/* SPDX-License-Identifier: MIT */
/* The vTPM protocol, with a service that answers what the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/model/tests/world.h"
#include "monitor/vcpu/registry.h"

#define BUFFER WORLD_SMALL
#define COMMAND_MAX 4087u
#define RESPONSE_MAX 4092u
#define ABOUT 4u /* struct vtpm_response */

static int setup(void **state)
{
	struct world_service *service;

	(void)state;
	world_start();
	service = world_service(SERVICE_VTPM);
	memcpy(service->reply, "\0\0\0\0TPM says yes", 16);
	service->reply_size = 16;
	return 0;
}

/* A request of size bytes 'c', at any place. */
static void put_request(uint64_t at, uint32_t command, uint8_t locality, uint32_t size)
{
	struct svsm_vtpm_cmd_req req = { command, locality, size };

	memset(model_memory(gpa(at)), 'c', 4096);
	world_put(at, &req, sizeof(req));
}

static uint32_t command_at(uint64_t at)
{
	return (uint32_t)world_call(0, VTPM(SVSM_VTPM_CMD), at, 0, 0).rax;
}

static uint32_t command(uint32_t platform_command, uint8_t locality, uint32_t size)
{
	put_request(BUFFER, platform_command, locality, size);
	return command_at(BUFFER);
}

/* Nothing of a response is in the buffer. */
static void assert_untouched(void)
{
	for (size_t i = 9; i < 4096; i++)
		assert_int_equal(*model_memory(gpa(BUFFER + i)), 'c');
}

static void query(void **state)
{
	struct svsm_call call = world_call(0, VTPM(SVSM_VTPM_QUERY), 5, 6, 7);

	(void)state;
	assert_int_equal(call.rax, 0);
	assert_int_equal(call.rcx, 0x100);
	assert_int_equal(call.rdx, 0x8000000000000000);
	world_service(SERVICE_VTPM)->available = false;
	call = world_call(0, VTPM(SVSM_VTPM_QUERY), 5, 6, 7);
	assert_int_equal(call.rax, 0);
	assert_int_equal(call.rcx, 0);
	assert_int_equal(call.rdx, 0);
}

static void command_and_response(void **state)
{
	struct world_service *service = world_service(SERVICE_VTPM);
	uint8_t response[17];

	(void)state;
	assert_int_equal(command(8, 0, 10), 0);
	assert_int_equal(service->op, VTPM_OP_COMMAND);
	assert_int_equal(service->payload_size, 14);
	assert_memory_equal(service->payload, "\0\0\0\0cccccccccc", 14);
	world_get(response, BUFFER, sizeof(response));
	assert_memory_equal(response, "\x0c\0\0\0TPM says yesc", 17);
}

/* ---- Evidence that the guest has made anew ---- */

#define RENEWAL "the vtpm's key and the guest's data"
#define REPORT "a report"

static enum service_status fails[3]; /* of the three steps */
static char steps[8];

static void step(char name)
{
	steps[strlen(steps)] = name;
}

static void vtpm_renews(void)
{
	struct world_service *service = world_service(SERVICE_VTPM);

	service->status = SERVICE_OK;
	switch (service->op) {
	case VTPM_OP_COMMAND:
		memcpy(service->reply, "\1\0\0\0written", 11);
		service->reply_size = 11;
		step('c');
		break;
	case VTPM_OP_EVIDENCE_OF:
		assert_int_equal(service->payload_size, 0);
		memcpy(service->reply, RENEWAL, sizeof(RENEWAL));
		service->reply_size = sizeof(RENEWAL);
		service->status = fails[0];
		step('o');
		break;
	case VTPM_OP_EVIDENCE:
		assert_int_equal(service->payload_size, sizeof(REPORT));
		assert_memory_equal(service->payload, REPORT, sizeof(REPORT));
		service->reply_size = 0;
		service->status = fails[2];
		step('e');
		break;
	default:
		fail();
	}
}

static void attest_makes_all(void)
{
	struct world_service *service = world_service(SERVICE_ATTEST);

	assert_int_equal(service->op, ATTEST_OP_RUNTIME_DATA);
	assert_int_equal(service->payload_size, sizeof(RENEWAL));
	assert_memory_equal(service->payload, RENEWAL, sizeof(RENEWAL));
	memcpy(service->reply, REPORT, sizeof(REPORT));
	service->reply_size = sizeof(REPORT);
	service->status = fails[1];
	step('r');
}

/* Each step gets what the one before gave; whatever fails, the guest has its response. */
static void evidence(void **state)
{
	static const char *const until[] = { "co", "cor", "core", "core" };
	uint8_t response[12];

	(void)state;
	world_service(SERVICE_VTPM)->while_working = vtpm_renews;
	world_service(SERVICE_ATTEST)->while_working = attest_makes_all;
	for (size_t i = 0; i < sizeof(until) / sizeof(until[0]); i++) {
		memset(steps, 0, sizeof(steps));
		for (size_t j = 0; j < 3; j++)
			fails[j] = i == j ? SERVICE_ERR_BUSY : SERVICE_OK;
		assert_int_equal(command(8, 0, 10), 0);
		assert_string_equal(steps, until[i]);
		world_get(response, BUFFER, sizeof(response));
		assert_memory_equal(response, "\7\0\0\0writtenc", 12);
	}
}

/* Nothing is asked where the vtpm does not say so, whatever else is in there. */
static void no_evidence(void **state)
{
	struct world_service *service = world_service(SERVICE_VTPM);

	(void)state;
	memcpy(service->reply, "\xfe\xff\xff\xff", 4);
	assert_int_equal(command(8, 0, 10), 0);
	assert_int_equal(service->calls, 1);
	assert_int_equal(world_service(SERVICE_ATTEST)->calls, 0);
}

/* ---- In turns: bit 31 of the request's command ---- */

#define IN_TURNS 0x80000008u
#define OTHER (BUFFER + 0x1000)
#define INCOMPLETE 0x80000000u

static uint32_t in_turns_at(uint64_t at, uint32_t size)
{
	put_request(at, IN_TURNS, 0, size);
	return command_at(at);
}

static void assert_answered(uint64_t at)
{
	uint8_t response[17];

	world_get(response, at, sizeof(response));
	assert_memory_equal(response, "\x0c\0\0\0TPM says yesc", 17);
}

static void in_turns(void **state)
{
	struct world_service *service = world_service(SERVICE_VTPM);

	(void)state;
	assert_int_equal(in_turns_at(BUFFER, 10), 0); /* short enough for one */
	assert_answered(BUFFER);
	service->slices = 3;
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(in_turns_at(BUFFER, 10), INCOMPLETE);
		assert_untouched();
	}
	assert_int_equal(in_turns_at(BUFFER, 10), 0);
	assert_answered(BUFFER);
	assert_int_equal(service->calls, 2);
	assert_int_equal(service->payload_size, 14);
	assert_int_equal(in_turns_at(BUFFER, 10), 0); /* the same again is another one */
	assert_int_equal(service->calls, 3);
}

/* Who does not know of turns has the answer at once, and the other one's waits. */
static void a_stock_call_finishes_the_other_first(void **state)
{
	struct world_service *service = world_service(SERVICE_VTPM);

	(void)state;
	service->slices = 100;
	assert_int_equal(in_turns_at(BUFFER, 10), INCOMPLETE);
	put_request(OTHER, 8, 0, 11);
	assert_int_equal(command_at(OTHER), 0);
	assert_answered(OTHER);
	assert_int_equal(service->calls, 2);
	assert_int_equal(in_turns_at(BUFFER, 10), 0);
	assert_answered(BUFFER);
	assert_int_equal(service->calls, 2); /* it was run once */
}

/* A second one works on the first, then waits until that has fetched its answer. */
static void two_in_turns(void **state)
{
	struct world_service *service = world_service(SERVICE_VTPM);

	(void)state;
	service->slices = 2;
	assert_int_equal(in_turns_at(BUFFER, 10), INCOMPLETE);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(in_turns_at(OTHER, 11), INCOMPLETE);
	assert_int_equal(service->calls, 1);
	assert_int_equal(in_turns_at(BUFFER, 10), 0);
	assert_answered(BUFFER);
	assert_int_equal(in_turns_at(OTHER, 11), 0);
	assert_answered(OTHER);
	assert_int_equal(service->calls, 2);
}

/* Its answer is nobody's: not even that of the call that brings the same bytes later. */
static void changed_bytes_give_it_up(void **state)
{
	struct world_service *service = world_service(SERVICE_VTPM);

	(void)state;
	service->slices = 2;
	assert_int_equal(in_turns_at(BUFFER, 10), INCOMPLETE);
	assert_int_equal(in_turns_at(BUFFER, 12), INCOMPLETE);
	assert_int_equal(in_turns_at(BUFFER, 12), INCOMPLETE); /* its last turn, and no other's */
	assert_int_equal(service->calls, 1);
	assert_int_equal(in_turns_at(BUFFER, 12), 0);
	assert_int_equal(service->calls, 2);
	assert_int_equal(service->payload_size, 16);
	service->slices = 1;
	assert_int_equal(in_turns_at(BUFFER, 10), INCOMPLETE);
	put_request(BUFFER, IN_TURNS, 0, 10);
	*model_memory(gpa(BUFFER + 9 + 9)) = 'd'; /* its last byte */
	assert_int_equal(command_at(BUFFER), INCOMPLETE);
	assert_int_equal(command_at(BUFFER), 0);
	assert_int_equal(service->calls, 4);
	assert_int_equal(service->payload[13], 'd');
}

/*
 * Linux takes a CPU offline and deletes its vCPU while the task, on another CPU by then, goes on;
 * and a call that is refused deletes nobody. Either way the command was run once.
 */
static void a_deleted_vcpu_takes_no_command_along(void **state)
{
	const uint64_t vmsa = WORLD_LARGE, caa = WORLD_LARGE + 0x1000;
	struct world_service *service = world_service(SERVICE_VTPM);
	struct registry_vcpu vcpu;

	(void)state;
	world_create(1, vmsa, caa);
	service->slices = 2;
	put_request(BUFFER, IN_TURNS, 0, 10);
	assert_int_equal((uint32_t)world_call(1, VTPM(SVSM_VTPM_CMD), BUFFER, 0, 0).rax,
			 INCOMPLETE);
	assert_true(registry_enter(1, 2, &vcpu)); /* it is being served */
	assert_int_equal(world_core(SVSM_CORE_DELETE_VCPU, vmsa, 0, 0), 0x80001003);
	registry_leave(1, 2);
	assert_int_equal((uint32_t)world_call(1, VTPM(SVSM_VTPM_CMD), BUFFER, 0, 0).rax,
			 INCOMPLETE);
	assert_int_equal(command_at(BUFFER), 0);
	assert_int_equal(service->calls, 1);
	service->slices = 1;
	put_request(BUFFER, IN_TURNS, 0, 10);
	assert_int_equal((uint32_t)world_call(1, VTPM(SVSM_VTPM_CMD), BUFFER, 0, 0).rax,
			 INCOMPLETE);
	assert_int_equal(world_core(SVSM_CORE_DELETE_VCPU, vmsa, 0, 0), 0);
	assert_int_equal(command_at(BUFFER), 0);
	assert_answered(BUFFER);
	assert_int_equal(service->calls, 2);
}

/*
 * A command at BUFFER whose response others have found waiting too often, and one at OTHER since.
 */
static void drop_a_response(void)
{
	struct world_service *service = world_service(SERVICE_VTPM);
	unsigned int turns = 0;

	service->slices = 1;
	assert_int_equal(in_turns_at(BUFFER, 10), INCOMPLETE);
	while (in_turns_at(OTHER, 11) == INCOMPLETE)
		turns++;
	assert_int_equal(turns, 1001);
	assert_answered(OTHER);
	assert_int_equal(service->calls, 2);
}

/* Who never comes back keeps nobody for ever, and who does has nothing run again. */
static void a_forgotten_answer_is_dropped(void **state)
{
	struct world_service *service = world_service(SERVICE_VTPM);

	(void)state;
	drop_a_response();
	service->slices = 1;
	assert_int_equal(in_turns_at(OTHER, 11), INCOMPLETE); /* under way meanwhile */
	assert_int_equal(in_turns_at(BUFFER, 10), 0x80001001);
	assert_untouched();
	assert_int_equal(in_turns_at(OTHER, 11), 0);
	assert_int_equal(service->calls, 3);
	assert_int_equal(in_turns_at(BUFFER, 10), 0); /* the same again is another one */
	assert_int_equal(service->calls, 4);
}

/*
 * Other bytes, or a call without turns, are no second time; nor are the same a hundred thousand
 * calls later.
 */
static void a_dropped_answer_is_its_own_calls(void **state)
{
	struct world_service *service = world_service(SERVICE_VTPM);

	(void)state;
	drop_a_response();
	assert_int_equal(in_turns_at(BUFFER, 11), 0);
	assert_int_equal(in_turns_at(BUFFER, 10), 0);
	service->calls = 0;
	drop_a_response();
	assert_int_equal(command(8, 0, 10), 0);
	assert_int_equal(in_turns_at(BUFFER, 10), 0);
	service->calls = 0;
	drop_a_response();
	put_request(BUFFER, IN_TURNS, 0, 10);
	*model_memory(gpa(BUFFER + 9)) = 'd';
	assert_int_equal(command_at(BUFFER), 0);
	assert_int_equal(service->payload[4], 'd');
	service->calls = 0;
	drop_a_response();
	for (unsigned int i = 0; i < 99999; i++)
		assert_int_equal(in_turns_at(OTHER, 11), 0);
	assert_int_equal(in_turns_at(BUFFER, 10), 0x80001001);
	service->calls = 0;
	drop_a_response();
	for (unsigned int i = 0; i < 100000; i++)
		assert_int_equal(in_turns_at(OTHER, 11), 0);
	assert_int_equal(in_turns_at(BUFFER, 10), 0);
}

/* What the guest has written asks for evidence, whoever gets the response, and once. */
static void evidence_of_what_nobody_fetches(void **state)
{
	struct world_service *service = world_service(SERVICE_VTPM);

	(void)state;
	service->while_working = vtpm_renews;
	world_service(SERVICE_ATTEST)->while_working = attest_makes_all;
	memset(fails, 0, sizeof(fails));
	memset(steps, 0, sizeof(steps));
	put_request(BUFFER, IN_TURNS, 0, 10);
	service->op = VTPM_OP_COMMAND;
	service->slices = 1;
	assert_int_equal(command_at(BUFFER), INCOMPLETE);
	assert_string_equal(steps, "c"); /* a turn of it */
	assert_int_equal(in_turns_at(BUFFER, 11), INCOMPLETE);
	assert_string_equal(steps, "ccore");
	memset(steps, 0, sizeof(steps));
	service->slices = 1;
	assert_int_equal(in_turns_at(BUFFER, 12), INCOMPLETE);
	assert_int_equal(in_turns_at(BUFFER, 12), 0);
	assert_string_equal(steps, "ccore");
}

static void a_service_that_fails_in_a_turn(void **state)
{
	struct world_service *service = world_service(SERVICE_VTPM);

	(void)state;
	service->slices = 1;
	assert_int_equal(in_turns_at(BUFFER, 10), INCOMPLETE);
	service->available = false;
	assert_int_equal(in_turns_at(BUFFER, 10), 0x80001001);
	assert_untouched();
}

static void platform_commands(void **state)
{
	static const uint32_t others[] = {
		0, 1, 2, 7, 9, 11, 20, 0x80000009, 0x40000008, UINT32_MAX
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(command(others[i], 0, 10), 0x80000006);
	assert_int_equal(world_service(SERVICE_VTPM)->calls, 0);
	assert_untouched();
}

static void localities(void **state)
{
	(void)state;
	for (unsigned int locality = 1; locality < 256; locality++)
		assert_int_equal(command(8, (uint8_t)locality, 10), 0x80000005);
	assert_int_equal(world_service(SERVICE_VTPM)->calls, 0);
}

static void sizes(void **state)
{
	struct world_service *service = world_service(SERVICE_VTPM);

	(void)state;
	assert_int_equal(command(8, 0, 0), 0x80000005);
	assert_int_equal(command(8, 0, COMMAND_MAX + 1), 0x80000005);
	assert_int_equal(command(8, 0, 4096), 0x80000005);
	assert_int_equal(command(8, 0, UINT32_MAX), 0x80000005);
	assert_int_equal(command(8, 0, UINT32_MAX - 8), 0x80000005);
	assert_int_equal(service->calls, 0);
	assert_int_equal(command(8, 0, 1), 0);
	assert_int_equal(service->payload_size, 5);
	assert_int_equal(command(8, 0, COMMAND_MAX), 0);
	assert_int_equal(service->payload_size, 4 + COMMAND_MAX);
}

static void buffers_anywhere(void **state)
{
	static const struct {
		uint64_t at;
		uint32_t result;
	} cases[] = {
		{ WORLD_SMALL + 1, 0 },
		{ WORLD_SMALL + 0xff8, 0 },
		{ WORLD_BOOT_CAA, 0 },
		{ WORLD_SMALL + MIB - 0x1000, 0 },
		{ WORLD_SMALL + MIB - 0xfff, 0x80000003 },
		{ WORLD_LAST_PAGE, 0 },
		{ WORLD_LAST_PAGE + 1, 0x80000003 },
		{ WORLD_REGION - 0x1000, 0x80000003 },
		{ WORLD_REGION, 0x80000003 },
		{ WORLD_BOOT_VMSA, 0x80000003 },
		{ WORLD_INVALID, 0x80000003 },
		{ WORLD_INVALID - 0xfff, 0x80000003 },
		{ WORLD_HOLE, 0x80000003 },
		{ MODEL_SIZE, 0x80000003 },
		{ 0 - 0x1000ull, 0x80000003 },
		{ UINT64_MAX, 0x80000003 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].result == 0)
			put_request(cases[i].at, 8, 0, 10);
		if (command_at(cases[i].at) != cases[i].result)
			fail_msg("case %zu", i);
	}
}

static void responses_that_fit(void **state)
{
	struct world_service *service = world_service(SERVICE_VTPM);
	uint32_t size;

	(void)state;
	memset(service->reply + ABOUT, 'r', RESPONSE_MAX);
	service->reply_size = ABOUT + RESPONSE_MAX;
	assert_int_equal(command(8, 0, 10), 0);
	world_get(&size, BUFFER, sizeof(size));
	assert_int_equal(size, RESPONSE_MAX);
	assert_int_equal(*model_memory(gpa(BUFFER + 4)), 'r');
	assert_int_equal(*model_memory(gpa(BUFFER + 4095)), 'r');
	assert_int_equal(*model_memory(gpa(BUFFER + 4096)), 0);
}

static void response_too_large_is_an_error(void **state)
{
	(void)state;
	world_service(SERVICE_VTPM)->reply_size = ABOUT + RESPONSE_MAX + 1;
	assert_int_equal(command(8, 0, 10), 0x80001001);
	assert_untouched();
	/* No response at all, and not even what is about it. */
	for (uint32_t size = 0; size <= ABOUT; size++) {
		world_service(SERVICE_VTPM)->reply_size = size;
		assert_int_equal(command(8, 0, 10), 0x80001001);
		assert_untouched();
	}
}

static void results_of_the_service(void **state)
{
	static const struct {
		enum service_status status;
		uint32_t result;
	} cases[] = {
		{ SERVICE_ERR_FORMAT, 0x80000005 },    { SERVICE_ERR_UNSUPPORTED, 0x80000005 },
		{ SERVICE_ERR_NO_MEMORY, 0x80001001 }, { SERVICE_ERR_FAILED, 0x80001001 },
		{ SERVICE_ERR_BUSY, 0x80001002 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world_service(SERVICE_VTPM)->status = cases[i].status;
		assert_int_equal(command(8, 0, 10), cases[i].result);
		assert_untouched();
	}
	world_service(SERVICE_VTPM)->status = SERVICE_OK;
	world_service(SERVICE_VTPM)->available = false;
	assert_int_equal(command(8, 0, 10), 0x80001001);
	assert_untouched();
}

/* Reads of the guest's buffer: bytes that are read twice could differ. */
static bool count_reads(void *context, const struct model_event *event)
{
	uint8_t *reads = context;

	if (event->op != MODEL_READ)
		return true;
	for (uint64_t i = 0; i < event->size; i++) {
		uint64_t offset = event->at.raw + i - BUFFER;

		if (offset < 4096)
			reads[offset]++;
	}
	return true;
}

static void each_byte_is_read_once(void **state)
{
	uint8_t reads[4096] = { 0 };

	(void)state;
	put_request(BUFFER, 8, 0, 100);
	model_set_hook(count_reads, reads);
	assert_int_equal(command_at(BUFFER), 0);
	model_set_hook(NULL, NULL);
	for (size_t i = 0; i < sizeof(reads); i++)
		assert_int_equal(reads[i], i < 109);
}

/* The guest changes size and command after they were read. */
static bool request_grows(void *context, const struct model_event *event)
{
	struct svsm_vtpm_cmd_req evil = { 8, 4, UINT32_MAX };

	(void)context;
	if (event->op == MODEL_READ && event->at.raw > BUFFER)
		world_put(BUFFER, &evil, sizeof(evil));
	return true;
}

static void request_is_read_once(void **state)
{
	(void)state;
	put_request(BUFFER, 8, 0, 10);
	model_set_hook(request_grows, NULL);
	assert_int_equal(command_at(BUFFER), 0);
	model_set_hook(NULL, NULL);
	assert_int_equal(world_service(SERVICE_VTPM)->payload_size, 14);
	assert_int_equal(world_service(SERVICE_VTPM)->payload[0], 0);
}

static void faults_anywhere(void **state)
{
	(void)state;
	model_fail(MODEL_READ, 1);
	assert_int_equal(command(8, 0, 10), 0x80000003);
	model_fail(MODEL_READ, 2);
	assert_int_equal(command(8, 0, 10), 0x80000003);
	assert_int_equal(world_service(SERVICE_VTPM)->calls, 0);
	model_fail(MODEL_WRITE, 1);
	assert_int_equal(command(8, 0, 10), 0x80000003);
	put_request(BUFFER + 0x801, 8, 0, 0x900);
	model_host_unassign(gpa(BUFFER + 0x1000), 1);
	assert_int_equal(command_at(BUFFER + 0x801), 0x80000003);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(query, setup),
		cmocka_unit_test_setup(command_and_response, setup),
		cmocka_unit_test_setup(evidence, setup),
		cmocka_unit_test_setup(no_evidence, setup),
		cmocka_unit_test_setup(in_turns, setup),
		cmocka_unit_test_setup(a_stock_call_finishes_the_other_first, setup),
		cmocka_unit_test_setup(two_in_turns, setup),
		cmocka_unit_test_setup(changed_bytes_give_it_up, setup),
		cmocka_unit_test_setup(a_deleted_vcpu_takes_no_command_along, setup),
		cmocka_unit_test_setup(a_forgotten_answer_is_dropped, setup),
		cmocka_unit_test_setup(a_dropped_answer_is_its_own_calls, setup),
		cmocka_unit_test_setup(evidence_of_what_nobody_fetches, setup),
		cmocka_unit_test_setup(a_service_that_fails_in_a_turn, setup),
		cmocka_unit_test_setup(platform_commands, setup),
		cmocka_unit_test_setup(localities, setup),
		cmocka_unit_test_setup(sizes, setup),
		cmocka_unit_test_setup(buffers_anywhere, setup),
		cmocka_unit_test_setup(responses_that_fit, setup),
		cmocka_unit_test_setup(response_too_large_is_an_error, setup),
		cmocka_unit_test_setup(results_of_the_service, setup),
		cmocka_unit_test_setup(each_byte_is_read_once, setup),
		cmocka_unit_test_setup(request_is_read_once, setup),
		cmocka_unit_test_setup(faults_anywhere, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
