/* SPDX-License-Identifier: MIT */
/*
 * The vtpm service and the host's CA: certificates of an honest one are written, and from any
 * other nothing is taken; the profile says whether the vTPM starts then.
 *
 *	ca_test VTPM
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/host/clock.h"
#include "services/tests/played_host.h"
#include "services/tests/spawn.h"

#define CERTIFICATE_P384 0x01c10000u
#define CERTIFICATE_P256 0x01c10002u
#define NV_ATTRIBUTES " attributes 0x42072001\n policy none\n locked yes\n"

static const char *vtpm_path;

static const char profile_format[] =
	"profile tested\npcr-banks sha256\nplatform-auth random\nmanifests 1\n"
	"certificates %s\ncertificate-timeout 1s\n"
	"key ak-ecc-p384\n role ak\n hierarchy endorsement\n"
	" template 0023000c00050072000000100018000c0004001000000000\n unique given\n handle none\n"
	"key ak-ecc-p256\n role ak\n hierarchy endorsement\n"
	" template 0023000b00050072000000100018000b0003001000000000\n unique given\n handle none\n"
	"nv 0x01c10000\n content certificate ak-ecc-p384\n" NV_ATTRIBUTES
	"nv 0x01c10002\n content certificate ak-ecc-p256\n" NV_ATTRIBUTES;

struct vtpm {
	pid_t pid;
	int channel, status;
	struct played_host host;
};

static int profile_file(const char *rule)
{
	int fd = memfd_create("profile", MFD_CLOEXEC);
	char text[2048];
	int size = snprintf(text, sizeof(text), profile_format, rule);

	assert_int_equal(pwrite(fd, text, (size_t)size, 0), size);
	return fd;
}

/* Starts the service, plays the host; then the service is serving or has ended. */
static void start(struct vtpm *vtpm, const char *rule, enum lie lie)
{
	int profile = profile_file(rule), log = open("/dev/null", O_WRONLY | O_CLOEXEC);
	uint8_t request[8] = { 0 };

	played_host_open(&vtpm->host, lie);
	struct spawn_grant grants[] = { { profile, 6 },
					{ log, SERVICE_FD_LOG },
					{ vtpm->host.vtpm_host_channel, 4 },
					{ vtpm->host.vtpm_attest, 5 } };

	vtpm->pid = spawn_service(vtpm_path, NULL, grants, 4, &vtpm->channel);
	played_host_gave(&vtpm->host);
	close(profile);
	close(log);
	/* An operation that is none: its answer tells that the service is ready. */
	assert_int_equal(send(vtpm->channel, request, sizeof(request), MSG_NOSIGNAL), 8);
	assert_true(played_host_play(&vtpm->host, "tested", vtpm->channel));
	vtpm->status = recv(vtpm->channel, request, sizeof(request), 0) == sizeof(request) ? 0 : -1;
}

static void stop_service(struct vtpm *vtpm)
{
	close(vtpm->channel);
	played_host_close(&vtpm->host);
	waitpid(vtpm->pid, NULL, 0);
}

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Runs one command, given without its locality; returns its response code. */
static uint32_t command(const struct vtpm *vtpm, const void *bytes, size_t size, uint8_t *response,
			size_t *response_size)
{
	uint8_t payload[256] = { 0 }, reply[sizeof(struct vtpm_response) + 4096];

	memcpy(payload + 4, bytes, size);
	*response_size = sizeof(reply);
	assert_int_equal(
		spawn_call(vtpm->channel, VTPM_OP_COMMAND, payload, 4 + size, reply, response_size),
		SERVICE_OK);
	*response_size -= sizeof(struct vtpm_response);
	memcpy(response, reply + sizeof(struct vtpm_response), *response_size);
	return be32(response + 6);
}

static uint32_t nv_read_public(const struct vtpm *vtpm, uint32_t index, uint32_t *attributes,
			       size_t *size)
{
	uint8_t bytes[] = "\x80\x01\0\0\0\x0e\0\0\x01\x69????", response[4096];
	size_t got;
	uint32_t rc;

	for (int i = 0; i < 4; i++)
		bytes[10 + i] = (uint8_t)(index >> (24 - 8 * i));
	rc = command(vtpm, bytes, 14, response, &got);
	if (rc)
		return rc;
	*attributes = be32(response + 18);
	*size = (size_t)(response[24] << 8 | response[25]);
	return 0;
}

static void nv_read(const struct vtpm *vtpm, uint32_t index, uint8_t *data, size_t size)
{
	uint8_t bytes[] = "\x80\x02\0\0\0\x23\0\0\x01\x4e????????\0\0\0\x09\x40\0\0\x09\0\0\0\0\0"
			  "??\0\0",
		response[4096];
	size_t got;

	for (int i = 0; i < 8; i++)
		bytes[10 + i] = (uint8_t)(index >> (24 - 8 * (i % 4)));
	bytes[31] = (uint8_t)(size >> 8);
	bytes[32] = (uint8_t)size;
	assert_int_equal(command(vtpm, bytes, 35, response, &got), 0);
	assert_true(got >= 16 + size);
	memcpy(data, response + 16, size);
}

/* The index holds one whole certificate, written and locked, for a key on a curve of that size. */
static void check_certificate(const struct vtpm *vtpm, uint32_t index, int bits)
{
	uint8_t der[1024];
	const uint8_t *end = der;
	uint32_t attributes = 0;
	size_t size = 0;
	X509 *certificate;

	assert_int_equal(nv_read_public(vtpm, index, &attributes, &size), 0);
	assert_int_equal(attributes, 0x62072801);
	assert_true(size <= sizeof(der));
	nv_read(vtpm, index, der, size);
	certificate = d2i_X509(NULL, &end, (long)size);
	assert_non_null(certificate);
	assert_ptr_equal(end, der + size);
	assert_int_equal(EVP_PKEY_get_bits(X509_get0_pubkey(certificate)), bits);
	X509_free(certificate);
}

static void check_no_certificate(const struct vtpm *vtpm, uint32_t index)
{
	uint32_t attributes;
	size_t size;

	assert_int_equal(nv_read_public(vtpm, index, &attributes, &size), 0x18b);
}

static void test_honest(void **state)
{
	static const char *const rules[] = { "optional", "required" };
	struct vtpm vtpm;

	(void)state;
	for (int i = 0; i < 2; i++) {
		start(&vtpm, rules[i], HONEST);
		assert_int_equal(vtpm.status, 0);
		check_certificate(&vtpm, CERTIFICATE_P384, 384);
		check_certificate(&vtpm, CERTIFICATE_P256, 256);
		stop_service(&vtpm);
	}
}

/* Never a certificate for another key; and none at all from a CA that lied about one. */
static void test_lies(void **state)
{
	(void)state;
	for (enum lie lie = HONEST + 1; lie < LIES; lie++) {
		struct vtpm vtpm;

		start(&vtpm, "optional", lie);
		if (vtpm.status)
			fail_msg("lie %d ended the service", lie);
		check_no_certificate(&vtpm, CERTIFICATE_P384);
		check_no_certificate(&vtpm, CERTIFICATE_P256);
		stop_service(&vtpm);
		start(&vtpm, "required", lie);
		if (!vtpm.status)
			fail_msg("the service started in spite of lie %d", lie);
		stop_service(&vtpm);
	}
}

/* How long the start takes with this CA. */
static uint64_t start_time(enum lie lie)
{
	struct vtpm vtpm;
	uint64_t begin = clock_ms(), took;

	start(&vtpm, "optional", lie);
	took = clock_ms() - begin;
	assert_int_equal(vtpm.status, 0);
	stop_service(&vtpm);
	return took;
}

/*
 * About a second, as the profile has it. A CA that trickles bytes gains no time by it: the
 * header of its first message alone would take ten.
 */
static void test_deadline(void **state)
{
	(void)state;
	assert_in_range(start_time(SILENT), 900, 5000);
	assert_in_range(start_time(SLOW), 900, 5000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_honest),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_deadline),
	};

	if (argc != 2)
		return 2;
	vtpm_path = argv[1];
	alarm(100); /* a service that does not answer ends the test */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
