/* SPDX-License-Identifier: MIT */
/*
 * What the vtpm says to the CA and how long it waits, with the host channel, the attest service and
 * the keys played by a script: each message has the profile's time, from when it is its turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/ca.h"
#include "services/vtpm/certificate.h"
#include "services/vtpm/certificates.h"
#include "services/vtpm/host_channel.h"
#include "services/vtpm/manifest.h"
#include "services/vtpm/report.h"

#define TIMEOUT_MS 30000u
#define STEP_MS 7000u /* that each message takes */
#define HELLO 1u
#define NONCE 2u
#define REQUEST 3u
#define CERTIFICATES 4u
#define REFUSED 5u
#define MESSAGES 4u

static const uint8_t der[] = { 0x30, 1, 2, 3, 4 };
/* Two keys: the first has no place to be kept, so nobody looks at its certificate. */
static const uint8_t certificates[] = { 2, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0x30, 1, 2, 3, 4 };
static const uint8_t manifest[100] = { 0x4d };
static const uint8_t report_bytes[300] = { 0x52 };
static const uint8_t host_table[20] = { 0x54 };

static struct profile profile;
static struct vtpm vtpm;
static struct cache_entry keys[2];

static struct {
	uint64_t now;
	unsigned int messages, fails_at; /* counted from 1; 0: none */
	uint32_t types[MESSAGES];
	uint8_t answer[64]; /* to the request */
	size_t answer_size;
	uint32_t answer_type;
	size_t nonce_size;
	size_t request_size, certificates_size;
	uint8_t request[1000];
	unsigned int checks;
	char line[200];
} host;

uint64_t host_channel_deadline(uint32_t timeout_ms)
{
	return host.now + timeout_ms;
}

static const char *message(uint32_t type, uint64_t deadline)
{
	assert_in_range(host.messages, 0, MESSAGES - 1);
	assert_int_equal(deadline, host.now + TIMEOUT_MS);
	host.types[host.messages++] = type;
	host.now += STEP_MS;
	return host.messages == host.fails_at ? "no luck" : NULL;
}

const char *host_channel_send(enum ca_type type, const void *payload, size_t size,
			      uint64_t deadline)
{
	if (type == CA_HELLO) {
		assert_int_equal(size, 6);
		assert_memory_equal(payload, "tested", 6);
	} else {
		assert_in_range(size, 0, sizeof(host.request));
		memcpy(host.request, payload, size);
		host.request_size = size;
	}
	return message(type, deadline);
}

const char *host_channel_receive(struct host_message *m, uint64_t deadline)
{
	bool nonce = host.messages == 1;
	const char *reason = message(nonce ? NONCE : host.answer_type, deadline);

	if (reason)
		return reason;
	m->type = nonce ? NONCE : host.answer_type;
	m->size = nonce ? host.nonce_size : host.answer_size;
	m->payload = malloc(m->size + 1);
	assert_non_null(m->payload);
	memset(m->payload, 0x4e, m->size);
	if (!nonce)
		memcpy(m->payload, host.answer, m->size);
	return NULL;
}

enum service_status serve_append(struct serve_output *out, const void *data, size_t size)
{
	if (size > out->capacity - out->size)
		return SERVICE_ERR_NO_MEMORY;
	memcpy(out->data + out->size, data, size);
	out->size += size;
	return SERVICE_OK;
}

void serve_logf(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(host.line, sizeof(host.line), format, arguments);
	va_end(arguments);
}

enum service_status manifest_of_first_keys(struct vtpm *of, struct serve_output *out)
{
	assert_ptr_equal(of, &vtpm);
	return serve_append(out, manifest, sizeof(manifest));
}

/* nonce, then version 1, the profile's name and the manifest (abi/service.h). */
bool report_get(struct report *report, uint32_t op, const void *payload, size_t size)
{
	const struct attest_request *request = payload;

	assert_int_equal(op, 1);
	assert_int_equal(size, sizeof(*request) + 6 + sizeof(manifest));
	assert_int_equal(request->manifest_version, 1);
	assert_int_equal(request->selector_size, 6);
	assert_int_equal(request->manifest_size, sizeof(manifest));
	for (size_t i = 0; i < sizeof(request->nonce); i++)
		assert_int_equal(((const uint8_t *)request->nonce)[i], 0x4e);
	assert_memory_equal(request + 1, "tested", 6);
	assert_memory_equal((const uint8_t *)(request + 1) + 6, manifest, sizeof(manifest));
	report->report = report_bytes;
	report->report_size = sizeof(report_bytes);
	report->certificates = host_table;
	report->certificates_size = (uint32_t)host.certificates_size;
	return true;
}

const struct cache_entry *vtpm_profile_key(struct vtpm *of, size_t index)
{
	assert_ptr_equal(of, &vtpm);
	assert_in_range(index, 0, 1);
	return &keys[index];
}

const char *certificate_check(const uint8_t *data, size_t size, const uint8_t *public_area,
			      size_t public_size, enum profile_role role)
{
	assert_int_equal(size, sizeof(der));
	assert_memory_equal(data, der, sizeof(der));
	assert_ptr_equal(public_area, keys[1].public_area);
	assert_int_equal(public_size, keys[1].public_size);
	assert_int_equal(role, profile.keys[1].role);
	host.checks++;
	return NULL;
}

static int start(void **state)
{
	(void)state;
	memset(&profile, 0, sizeof(profile));
	strcpy(profile.name, "tested");
	profile.certificate_timeout_ms = TIMEOUT_MS;
	profile.key_count = 2;
	profile.nv_count = 1;
	profile.nv[0].content = PROFILE_CONTENT_CERTIFICATE;
	profile.nv[0].key = 1;
	vtpm.profile = &profile;
	keys[1].public_size = 77;
	memset(&host, 0, sizeof(host));
	host.now = 1000000;
	host.answer_type = CERTIFICATES;
	host.answer_size = sizeof(certificates);
	memcpy(host.answer, certificates, sizeof(certificates));
	host.nonce_size = 64;
	host.certificates_size = sizeof(host_table);
	return 0;
}

/* NULL when they came. */
static const char *get(void)
{
	struct certificates got = { 0 };
	const char *reason = certificates_get(&vtpm, &got);

	if (!reason) {
		assert_int_equal(got.der[0].size, 0);
		assert_int_equal(got.der[1].size, sizeof(der));
		assert_memory_equal(got.der[1].data, der, sizeof(der));
	}
	certificates_free(&got);
	assert_null(got.payload);
	return reason;
}

static void four_messages_have_each_its_time(void **state)
{
	static const uint32_t types[] = { HELLO, NONCE, REQUEST, CERTIFICATES };

	(void)state;
	assert_null(get());
	assert_int_equal(host.messages, MESSAGES);
	assert_memory_equal(host.types, types, sizeof(types));
	assert_int_equal(host.checks, 1);
}

/* Sizes, then report, manifest and the host's table, without padding (abi/ca.h). */
static void the_request_is_as_the_ca_has_it(void **state)
{
	const uint32_t sizes[] = { sizeof(report_bytes), sizeof(manifest), sizeof(host_table), 0 };
	uint8_t want[16 + sizeof(report_bytes) + sizeof(manifest) + sizeof(host_table)];

	(void)state;
	assert_null(get());
	memcpy(want, sizes, 16);
	memcpy(want + 16, report_bytes, sizeof(report_bytes));
	memcpy(want + 16 + sizeof(report_bytes), manifest, sizeof(manifest));
	memcpy(want + 16 + sizeof(report_bytes) + sizeof(manifest), host_table, sizeof(host_table));
	assert_int_equal(host.request_size, sizeof(want));
	assert_memory_equal(host.request, want, sizeof(want));
}

static void a_channel_that_breaks_is_the_end_of_it(void **state)
{
	for (unsigned int n = 1; n <= MESSAGES; n++) {
		start(state);
		host.fails_at = n;
		assert_string_equal(get(), "no luck");
		assert_int_equal(host.messages, n);
	}
}

static void a_nonce_is_64_bytes(void **state)
{
	static const size_t wrong[] = { 0, 63, 65 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		start(state);
		host.nonce_size = wrong[i];
		assert_non_null(get());
		assert_int_equal(host.messages, 2);
	}
}

/* The CA's words, as many as a line of the log takes, and nothing that looks like another line. */
static void a_refusal_is_logged_in_one_line(void **state)
{
	(void)state;
	host.answer_type = REFUSED;
	strcpy((char *)host.answer, "no ~key\nvtpm: \x1b[1m\x7f");
	host.answer_size = strlen((const char *)host.answer);
	assert_string_equal(get(), "the CA refuses");
	assert_string_equal(host.line, "vtpm: the CA says: no ~key.vtpm: .[1m.");
}

static void another_message_is_no_answer(void **state)
{
	(void)state;
	host.answer_type = NONCE;
	assert_non_null(get());
	assert_string_equal(host.line, "");
}

static void an_answer_is_of_these_keys_and_no_more(void **state)
{
	(void)state;
	host.answer[0] = 1;
	assert_non_null(get());
	start(state);
	host.answer[0] = 3;
	assert_non_null(get());
	start(state);
	host.answer_size--;
	assert_non_null(get());
	start(state);
	host.answer_size++;
	assert_non_null(get());
	start(state);
	host.answer[8] = 0; /* no certificate where one is wanted */
	host.answer_size -= sizeof(der);
	assert_non_null(get());
	assert_int_equal(host.checks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(four_messages_have_each_its_time, start),
		cmocka_unit_test_setup(the_request_is_as_the_ca_has_it, start),
		cmocka_unit_test_setup(a_channel_that_breaks_is_the_end_of_it, start),
		cmocka_unit_test_setup(a_nonce_is_64_bytes, start),
		cmocka_unit_test_setup(a_refusal_is_logged_in_one_line, start),
		cmocka_unit_test_setup(another_message_is_no_answer, start),
		cmocka_unit_test_setup(an_answer_is_of_these_keys_and_no_more, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
