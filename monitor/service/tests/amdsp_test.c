/* SPDX-License-Identifier: MIT */
/*
 * The AMD-SP channel against a host that is busy, loses answers, or lies. What counts in every
 * test: the host never sees two different messages under one number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/service/amdsp.h"

#define BUSY ((uint64_t)PSP_VMM_ERR_BUSY << 32)
#define INVALID_LEN ((uint64_t)PSP_VMM_ERR_INVALID_LEN << 32)
#define SEEN_MAX 64

/* The host: answers the next busy_count requests with BUSY, and then with result. */
static struct {
	unsigned int busy_count;
	unsigned int invalid_len_count;
	uint64_t result;
	bool lose_answer; /* says all is well and writes nothing */
	size_t cert_size;
	unsigned int calls;
	unsigned int calls_without_certificates;
	unsigned int seen;
	uint8_t messages[SEEN_MAX][ABI_PAGE_SIZE];
	bool sleepless; /* who asks holds a lock, or the host refuses the timer */
	uint64_t clock;
	bool second; /* another request is made in the sleep of the first */
} host;

static struct amdsp sp;
static const uint8_t key[SNP_VMPCK_SIZE] = { 1, 2, 3 };

static uint64_t number_of(const void *message)
{
	struct psp_msg_header header;

	memcpy(&header, message, sizeof(header));
	return header.seqno;
}

static void note_message(const void *message)
{
	for (unsigned int i = 0; i < host.seen; i++) {
		if (number_of(host.messages[i]) == number_of(message))
			assert_memory_equal(host.messages[i], message, ABI_PAGE_SIZE);
	}
	assert_true(host.seen < SEEN_MAX);
	memcpy(host.messages[host.seen++], message, ABI_PAGE_SIZE);
}

uint64_t arch_guest_request(const void *request, void *response, void *certificates,
			    size_t *cert_size)
{
	host.calls++;
	host.calls_without_certificates += certificates == NULL;
	/* The counter has moved before the host sees anything. */
	assert_int_equal(sp.next, number_of(request) + 2);
	note_message(request);
	if (host.busy_count > 0) {
		host.busy_count--;
		return BUSY;
	}
	if (certificates && host.invalid_len_count > 0) {
		host.invalid_len_count--;
		return INVALID_LEN;
	}
	if (certificates && host.cert_size <= *cert_size)
		memset(certificates, 0xcc, host.cert_size);
	*cert_size = certificates ? host.cert_size : 0;
	if (host.result || host.lose_answer)
		return host.result;

	struct psp_msg_header header = { .seqno = number_of(request) + 1 };

	memset(response, 0x55, ABI_PAGE_SIZE);
	memcpy(response, &header, sizeof(header));
	return 0;
}

static enum service_status seqno(uint64_t *number);

bool arch_sleep(uint64_t ns)
{
	if (host.sleepless)
		return false;
	host.clock += ns;
	if (host.second) {
		host.second = false;
		expect_assert_failure(seqno(&(uint64_t){ 0 }));
	}
	return true;
}

_Noreturn void die(enum die_reason reason, const char *why)
{
	(void)reason;
	mock_assert(0, why, __FILE__, __LINE__);
	abort();
}

static uint8_t message[ABI_PAGE_SIZE];
static uint8_t reply[AMDSP_SEND_REPLY_MAX];
static size_t reply_size;

static size_t make_message(uint64_t number, uint8_t text)
{
	struct psp_msg_header header = {
		.seqno = number,
		.algo = PSP_MSG_ALGO_AES_256_GCM,
		.header_version = PSP_MSG_HEADER_VERSION,
		.header_size = PSP_MSG_HEADER_SIZE,
		.type = PSP_MSG_REPORT_REQ,
		.version = PSP_MSG_VERSION,
		.size = 96,
	};

	memset(message, 0, sizeof(message));
	memcpy(message, &header, sizeof(header));
	memset(message + sizeof(header), text, 96);
	return sizeof(header) + 96;
}

static enum service_status send(uint64_t number, uint8_t text)
{
	size_t size = make_message(number, text);

	return amdsp_request(&sp, AMDSP_OP_SEND, message, size, reply, sizeof(reply), &reply_size);
}

static enum service_status seqno(uint64_t *number)
{
	return amdsp_request(&sp, AMDSP_OP_SEQNO, NULL, 0, number, sizeof(*number), &reply_size);
}

static int fresh(void **state)
{
	(void)state;
	memset(&host, 0, sizeof(host));
	amdsp_init(&sp, key);
	return 0;
}

static void gives_key_and_number(void **state)
{
	uint8_t got[SNP_VMPCK_SIZE];
	uint64_t number = 0;

	(void)state;
	assert_int_equal(amdsp_request(&sp, AMDSP_OP_KEY, NULL, 0, got, sizeof(got), &reply_size),
			 SERVICE_OK);
	assert_int_equal(reply_size, SNP_VMPCK_SIZE);
	assert_memory_equal(got, key, sizeof(key));
	assert_int_equal(amdsp_request(&sp, AMDSP_OP_KEY, "x", 1, got, sizeof(got), &reply_size),
			 SERVICE_ERR_FORMAT);
	assert_int_equal(amdsp_request(&sp, AMDSP_OP_KEY, NULL, 0, got, 31, &reply_size),
			 SERVICE_ERR_NO_MEMORY);
	assert_int_equal(seqno(&number), SERVICE_OK);
	assert_int_equal(number, 1);
	assert_int_equal(seqno(&number), SERVICE_OK);
	assert_int_equal(number, 1);
	assert_int_equal(amdsp_request(&sp, 4, NULL, 0, reply, sizeof(reply), &reply_size),
			 SERVICE_ERR_UNSUPPORTED);
	assert_int_equal(host.calls, 0);
}

static void sends_and_counts(void **state)
{
	uint64_t number = 0;
	uint32_t certificates;

	(void)state;
	host.cert_size = 100;
	for (uint64_t n = 1; n < 9; n += 2) {
		assert_int_equal(seqno(&number), SERVICE_OK);
		assert_int_equal(number, n);
		assert_int_equal(send(n, (uint8_t)n), SERVICE_OK);
		assert_int_equal(reply_size, 4 + ABI_PAGE_SIZE + 100);
		memcpy(&certificates, reply, 4);
		assert_int_equal(certificates, 100);
		assert_int_equal(number_of(reply + 4), n + 1);
		assert_int_equal(reply[4 + ABI_PAGE_SIZE - 1], 0x55);
		assert_int_equal(reply[4 + ABI_PAGE_SIZE + 99], 0xcc);
	}
	assert_int_equal(host.calls, 4);
}

static void refuses_wrong_numbers(void **state)
{
	(void)state;
	assert_int_equal(send(0, 1), SERVICE_ERR_FORMAT);
	assert_int_equal(send(2, 1), SERVICE_ERR_FORMAT);
	assert_int_equal(send(3, 1), SERVICE_ERR_FORMAT);
	assert_int_equal(send(1, 1), SERVICE_OK);
	/* The answered number is used up, for the same text as for another. */
	assert_int_equal(send(1, 1), SERVICE_ERR_FORMAT);
	assert_int_equal(send(1, 2), SERVICE_ERR_FORMAT);
	assert_int_equal(send(3, 2), SERVICE_OK);
	assert_int_equal(host.calls, 2);
}

static void refuses_broken_headers(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
	} broken[] = {
		{ 0x30, 2 },	/* algorithm */
		{ 0x31, 2 },	/* header version */
		{ 0x32, 0x61 }, /* header size */
		{ 0x33, 1 },	/* header size */
		{ 0x36, 97 },	/* more payload than there is */
		{ 0x37, 1 },	/* more payload than there is */
		{ 0x3c, 1 },	/* another key */
	};
	static uint8_t large[ABI_PAGE_SIZE + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		size_t size = make_message(1, 1);

		message[broken[i].offset] = broken[i].value;
		assert_int_equal(amdsp_request(&sp, AMDSP_OP_SEND, message, size, reply,
					       sizeof(reply), &reply_size),
				 SERVICE_ERR_FORMAT);
	}
	make_message(1, 1);
	memcpy(large, message, sizeof(message));
	assert_int_equal(amdsp_request(&sp, AMDSP_OP_SEND, large, sizeof(large), reply,
				       sizeof(reply), &reply_size),
			 SERVICE_ERR_FORMAT);
	for (size_t size = 0; size < PSP_MSG_HEADER_SIZE; size++)
		assert_int_equal(amdsp_request(&sp, AMDSP_OP_SEND, large, size, reply,
					       sizeof(reply), &reply_size),
				 SERVICE_ERR_FORMAT);
	assert_int_equal(host.calls, 0);
	assert_int_equal(send(1, 1), SERVICE_OK);
}

static void asks_for_room_before_it_sends(void **state)
{
	size_t size = make_message(1, 1);

	(void)state;
	assert_int_equal(amdsp_request(&sp, AMDSP_OP_SEND, message, size, reply, sizeof(reply) - 1,
				       &reply_size),
			 SERVICE_ERR_NO_MEMORY);
	assert_int_equal(host.calls, 0);
	assert_int_equal(send(1, 1), SERVICE_OK);
}

static void repeats_while_the_host_is_busy(void **state)
{
	(void)state;
	host.busy_count = AMDSP_ATTEMPTS - 1;
	assert_int_equal(send(1, 1), SERVICE_OK);
	assert_int_equal(host.calls, AMDSP_ATTEMPTS);
	/* The waits double from one millisecond to half a second: the host is not hammered. */
	assert_int_equal(host.clock, 511000000u + 4 * 512000000u);
}

static void who_cannot_sleep_does_not_wait(void **state)
{
	(void)state;
	host.busy_count = 2;
	host.sleepless = true;
	assert_int_equal(send(1, 1), SERVICE_ERR_BUSY);
	assert_int_equal(host.calls, 1);
	assert_int_equal(send(1, 1), SERVICE_ERR_BUSY);
	assert_int_equal(send(1, 1), SERVICE_OK);
	assert_int_equal(host.calls, 3);
}

/* Which would get an answer, and the first another one than it waits for. */
static void one_asks_at_a_time(void **state)
{
	(void)state;
	host.busy_count = 1;
	host.second = true;
	assert_int_equal(send(1, 1), SERVICE_OK);
	assert_int_equal(host.calls, 2);
	assert_int_equal(send(3, 2), SERVICE_OK);
}

static void gives_up_and_resends_the_same(void **state)
{
	(void)state;
	host.busy_count = AMDSP_ATTEMPTS;
	assert_int_equal(send(1, 1), SERVICE_ERR_BUSY);
	assert_int_equal(host.calls, AMDSP_ATTEMPTS);
	assert_int_equal(send(1, 1), SERVICE_OK);
	assert_int_equal(send(3, 2), SERVICE_OK);
}

static void closes_on_another_text(void **state)
{
	uint64_t number;

	(void)state;
	host.busy_count = AMDSP_ATTEMPTS;
	assert_int_equal(send(1, 1), SERVICE_ERR_BUSY);
	assert_int_equal(send(1, 2), SERVICE_ERR_FAILED);
	assert_int_equal(host.calls, AMDSP_ATTEMPTS);
	/* For good, even for what was right before. */
	assert_int_equal(send(1, 1), SERVICE_ERR_FAILED);
	assert_int_equal(send(3, 1), SERVICE_ERR_FAILED);
	assert_int_equal(seqno(&number), SERVICE_ERR_FAILED);
	assert_int_equal(host.calls, AMDSP_ATTEMPTS);
}

/* A longer text whose first bytes are the same is another text. */
static void closes_on_a_longer_text(void **state)
{
	(void)state;
	host.busy_count = AMDSP_ATTEMPTS;
	assert_int_equal(send(1, 1), SERVICE_ERR_BUSY);
	make_message(1, 1);
	message[PSP_MSG_HEADER_SIZE + 96] = 1;
	assert_int_equal(amdsp_request(&sp, AMDSP_OP_SEND, message, PSP_MSG_HEADER_SIZE + 97, reply,
				       sizeof(reply), &reply_size),
			 SERVICE_ERR_FAILED);
	assert_true(sp.closed);
}

/* The service was ended between message and answer; its successor asks for the number. */
static void a_new_service_can_go_on(void **state)
{
	uint64_t number = 0;

	(void)state;
	host.busy_count = AMDSP_ATTEMPTS;
	assert_int_equal(send(1, 1), SERVICE_ERR_BUSY);
	assert_int_equal(seqno(&number), SERVICE_OK);
	assert_int_equal(number, 3);
	assert_int_equal(number_of(host.messages[host.seen - 1]), 1);
	assert_int_equal(send(3, 9), SERVICE_OK);
}

static void a_new_number_waits_for_the_old(void **state)
{
	uint64_t number = 0;

	(void)state;
	host.busy_count = 3 * AMDSP_ATTEMPTS;
	assert_int_equal(send(1, 1), SERVICE_ERR_BUSY);
	assert_int_equal(send(3, 2), SERVICE_ERR_BUSY);
	assert_int_equal(seqno(&number), SERVICE_ERR_BUSY);
	for (unsigned int i = 0; i < host.seen; i++)
		assert_int_equal(number_of(host.messages[i]), 1);
	assert_int_equal(send(3, 2), SERVICE_OK);
	assert_int_equal(number_of(host.messages[host.seen - 1]), 3);
	assert_int_equal(number_of(host.messages[host.seen - 2]), 1);
}

static void a_lost_answer_costs_no_number(void **state)
{
	(void)state;
	host.lose_answer = true;
	assert_int_equal(send(1, 1), SERVICE_ERR_FAILED);
	host.lose_answer = false;
	assert_int_equal(send(1, 1), SERVICE_OK);
	/* The answer to 1 stays in place; as an answer to 3 it is none. */
	host.lose_answer = true;
	assert_int_equal(send(3, 1), SERVICE_ERR_FAILED);
	assert_int_equal(send(3, 2), SERVICE_ERR_FAILED);
	assert_true(sp.closed);
}

static void a_firmware_error_is_ambiguous(void **state)
{
	(void)state;
	host.result = 0x16;
	assert_int_equal(send(1, 1), SERVICE_ERR_FAILED);
	assert_int_equal(host.calls, 1);
	assert_int_equal(send(3, 1), SERVICE_ERR_FAILED);
	host.result = 0;
	assert_int_equal(send(1, 1), SERVICE_OK);
	assert_int_equal(send(3, 2), SERVICE_OK);
}

static void does_without_certificates(void **state)
{
	(void)state;
	host.invalid_len_count = 1;
	host.cert_size = 40;
	assert_int_equal(send(1, 1), SERVICE_OK);
	assert_int_equal(reply_size, 4 + ABI_PAGE_SIZE);
	assert_int_equal(host.calls, 2);
	assert_int_equal(host.calls_without_certificates, 1);
	assert_int_equal(send(3, 1), SERVICE_OK);
	assert_int_equal(reply_size, 4 + ABI_PAGE_SIZE + 40);
}

static void refuses_a_certificate_size_that_lies(void **state)
{
	(void)state;
	host.cert_size = AMDSP_CERTIFICATES_MAX + 1;
	assert_int_equal(send(1, 1), SERVICE_ERR_FAILED);
	host.cert_size = AMDSP_CERTIFICATES_MAX;
	assert_int_equal(send(1, 1), SERVICE_OK);
	assert_int_equal(reply_size, AMDSP_SEND_REPLY_MAX);
}

static void stops_at_the_last_number(void **state)
{
	(void)state;
	sp.next = UINT64_MAX;
	assert_int_equal(send(UINT64_MAX, 1), SERVICE_ERR_FAILED);
	assert_true(sp.closed);
	assert_int_equal(host.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(gives_key_and_number, fresh),
		cmocka_unit_test_setup(sends_and_counts, fresh),
		cmocka_unit_test_setup(refuses_wrong_numbers, fresh),
		cmocka_unit_test_setup(refuses_broken_headers, fresh),
		cmocka_unit_test_setup(asks_for_room_before_it_sends, fresh),
		cmocka_unit_test_setup(repeats_while_the_host_is_busy, fresh),
		cmocka_unit_test_setup(who_cannot_sleep_does_not_wait, fresh),
		cmocka_unit_test_setup(one_asks_at_a_time, fresh),
		cmocka_unit_test_setup(gives_up_and_resends_the_same, fresh),
		cmocka_unit_test_setup(closes_on_another_text, fresh),
		cmocka_unit_test_setup(closes_on_a_longer_text, fresh),
		cmocka_unit_test_setup(a_new_service_can_go_on, fresh),
		cmocka_unit_test_setup(a_new_number_waits_for_the_old, fresh),
		cmocka_unit_test_setup(a_lost_answer_costs_no_number, fresh),
		cmocka_unit_test_setup(a_firmware_error_is_ambiguous, fresh),
		cmocka_unit_test_setup(does_without_certificates, fresh),
		cmocka_unit_test_setup(refuses_a_certificate_size_that_lies, fresh),
		cmocka_unit_test_setup(stops_at_the_last_number, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
