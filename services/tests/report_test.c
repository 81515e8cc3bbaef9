/* SPDX-License-Identifier: MIT */
/*
 * Reports that the vtpm asks for: the attest service is played by a script. The monitor waits five
 * seconds for an AMD-SP that is busy, and the guest does not start before: so a service that stays
 * busy is asked three times and no more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "abi/service.h"
#include "services/vtpm/report.h"

#define OP 0x1234u
#define REPORT_SIZE 0x4a0u /* of ATTESTATION_REPORT (SNP firmware ABI 56860, table 23) */
#define CERTIFICATES_SIZE 77u
#define HEADER_SIZE 8u
#define TRIES 3u

static const uint8_t payload[] = { 1, 2, 3 };

/* What the service says, call by call, and what of its reply it sends. */
static struct {
	enum service_status says[8];
	unsigned int calls, lines;
	uint32_t report_size, certificates_size;
	size_t size;
} service;

static struct report report;

enum service_status serve_call(int fd, uint32_t op, const void *data, size_t size,
			       struct serve_output *reply)
{
	const uint32_t header[] = { service.report_size, service.certificates_size };
	enum service_status status = service.says[service.calls++];

	assert_int_equal(fd, 5); /* services.conf */
	assert_int_equal(op, OP);
	assert_ptr_equal(data, payload);
	assert_int_equal(size, sizeof(payload));
	assert_int_equal(reply->capacity, 32768);
	assert_in_range(service.size, HEADER_SIZE, reply->capacity);
	if (status != SERVICE_OK)
		return status;
	memset(reply->data, 0xee, reply->capacity);
	memcpy(reply->data, header, sizeof(header));
	memset(reply->data + HEADER_SIZE, 0x11, REPORT_SIZE);
	memset(reply->data + HEADER_SIZE + REPORT_SIZE, 0x22, CERTIFICATES_SIZE);
	reply->size = service.size;
	return SERVICE_OK;
}

void serve_logf(const char *format, ...)
{
	(void)format;
	service.lines++;
}

static int start(void **state)
{
	(void)state;
	memset(&service, 0, sizeof(service));
	service.report_size = REPORT_SIZE;
	service.certificates_size = CERTIFICATES_SIZE;
	service.size = HEADER_SIZE + REPORT_SIZE + CERTIFICATES_SIZE;
	memset(&report, 0, sizeof(report));
	return 0;
}

static bool get(void)
{
	return report_get(&report, OP, payload, sizeof(payload));
}

static bool all_are(const uint8_t *bytes, uint8_t value, size_t size)
{
	while (size && bytes[size - 1] == value)
		size--;
	return !size;
}

static void a_report_and_its_certificates_are_found(void **state)
{
	(void)state;
	assert_true(get());
	assert_int_equal(service.calls, 1);
	assert_int_equal(service.lines, 0);
	assert_int_equal(report.report_size, REPORT_SIZE);
	assert_true(all_are(report.report, 0x11, REPORT_SIZE));
	assert_int_equal(report.certificates_size, CERTIFICATES_SIZE);
	assert_true(all_are(report.certificates, 0x22, CERTIFICATES_SIZE));
}

static void a_host_need_not_have_certificates(void **state)
{
	(void)state;
	service.certificates_size = 0;
	service.size = HEADER_SIZE + REPORT_SIZE;
	assert_true(get());
	assert_int_equal(report.certificates_size, 0);
}

static void a_busy_service_is_asked_again(void **state)
{
	(void)state;
	for (unsigned int busy = 1; busy < TRIES; busy++) {
		start(state);
		for (unsigned int i = 0; i < busy; i++)
			service.says[i] = SERVICE_ERR_BUSY;
		assert_true(get());
		assert_int_equal(service.calls, busy + 1);
		assert_int_equal(service.lines, 0);
	}
}

static void one_that_stays_busy_is_given_up(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TRIES; i++)
		service.says[i] = SERVICE_ERR_BUSY;
	assert_false(get());
	assert_int_equal(service.calls, TRIES);
	assert_int_equal(service.lines, 1);
}

static void any_other_error_is_an_answer(void **state)
{
	static const enum service_status errors[] = { SERVICE_ERR_FAILED, SERVICE_ERR_NO_MEMORY };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		start(state);
		service.says[0] = errors[i];
		assert_false(get());
		assert_int_equal(service.calls, 1);
		assert_int_equal(service.lines, 1);
		start(state);
		service.says[0] = SERVICE_ERR_BUSY;
		service.says[1] = errors[i];
		assert_false(get());
		assert_int_equal(service.calls, 2);
	}
}

/* The service is another process: what it says of its sizes is checked. */
static void a_reply_is_what_it_says_it_is(void **state)
{
	(void)state;
	service.size--;
	assert_false(get());
	start(state);
	service.size++;
	assert_false(get());
	start(state);
	service.report_size--;
	service.certificates_size++;
	assert_false(get());
	start(state);
	service.report_size++;
	service.certificates_size--;
	assert_false(get());
	start(state);
	service.certificates_size = UINT32_MAX;
	assert_false(get());
	start(state);
	service.report_size = UINT32_MAX;
	assert_false(get());
	start(state);
	service.size = HEADER_SIZE;
	service.report_size = service.certificates_size = 0;
	assert_false(get());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_report_and_its_certificates_are_found, start),
		cmocka_unit_test_setup(a_host_need_not_have_certificates, start),
		cmocka_unit_test_setup(a_busy_service_is_asked_again, start),
		cmocka_unit_test_setup(one_that_stays_busy_is_given_up, start),
		cmocka_unit_test_setup(any_other_error_is_an_answer, start),
		cmocka_unit_test_setup(a_reply_is_what_it_says_it_is, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
