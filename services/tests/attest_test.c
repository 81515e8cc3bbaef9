/* SPDX-License-Identifier: MIT */
/*
 * The attest service as a Linux process, between a vTPM and an AMD-SP that the test plays: what it
 * asks for, what it gives, and that it believes no answer which is not one to its own request.
 *
 *	attest_test ATTEST
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/sha.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/svsm.h"
#include "services/attest/sealed.h"
#include "services/tests/spawn.h"

static const uint8_t key[SNP_VMPCK_SIZE] = "an emulated VMPCK0, 32 bytes...";
static const char manifest_text[] = "the manifest of the vTPM";
static const struct abi_guid vtpm_guid = SVSM_GUID_VTPM;
static const char *attest_path;

/* What the played AMD-SP does wrong, if anything. */
enum lie {
	HONEST,
	BUSY,
	OTHER_REPORT_DATA,
	OTHER_VMPL,
	OTHER_SEQNO,
	REQUEST_TYPE,
	BAD_TAG,
	BAD_STATUS,
	SHORT_PAYLOAD,
	CERTIFICATE_COUNT,
	LIES,
};

struct world {
	pid_t pid;
	int requests, amd_sp, vtpm;
	uint64_t seqno;
};

static void give(int fd, uint32_t status, const void *payload, size_t size)
{
	uint8_t message[16384];
	struct service_reply header = { .status = status, .size = (uint32_t)size };

	memcpy(message, &header, sizeof(header));
	if (size)
		memcpy(message + sizeof(header), payload, size);
	assert_int_equal(send(fd, message, sizeof(header) + size, 0), sizeof(header) + size);
}

/* The next request of the service on one of its capabilities. */
static uint32_t take(int fd, void *payload, size_t *size)
{
	uint8_t message[16384];
	struct service_request header;
	ssize_t got = recv(fd, message, sizeof(message), 0);

	assert_true(got >= (ssize_t)sizeof(header));
	memcpy(&header, message, sizeof(header));
	assert_int_equal(header.size, got - sizeof(header));
	assert_true(header.size <= *size);
	memcpy(payload, message + sizeof(header), header.size);
	*size = header.size;
	return header.op;
}

static void start(struct world *world)
{
	int amd_sp[2], vtpm[2];
	uint8_t payload[64];
	size_t size = sizeof(payload);

	spawn_channel(amd_sp);
	spawn_channel(vtpm);
	struct spawn_grant grants[] = { { amd_sp[1], 4 }, { vtpm[1], 5 } };

	world->pid = spawn_service(attest_path, grants, 2, &world->requests);
	close(amd_sp[1]);
	close(vtpm[1]);
	world->amd_sp = amd_sp[0];
	world->vtpm = vtpm[0];
	world->seqno = 41;
	assert_int_equal(take(world->amd_sp, payload, &size), AMDSP_OP_KEY);
	give(world->amd_sp, SERVICE_OK, key, sizeof(key));
}

static void stop(struct world *world)
{
	close(world->requests);
	close(world->amd_sp);
	close(world->vtpm);
	waitpid(world->pid, NULL, 0);
}

static void send_request(const struct world *world, uint32_t op, const void *payload, size_t size)
{
	uint8_t message[256];
	struct service_request header = { .op = op, .size = (uint32_t)size };

	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), payload, size);
	assert_true(send(world->requests, message, sizeof(header) + size, 0) > 0);
}

static uint32_t receive_reply(const struct world *world, void *payload, size_t *size)
{
	static uint8_t message[SERVICE_MESSAGE_MAX];
	struct service_reply header;
	ssize_t got = recv(world->requests, message, sizeof(message), 0);

	assert_true(got >= (ssize_t)sizeof(header));
	memcpy(&header, message, sizeof(header));
	assert_int_equal(header.size, got - sizeof(header));
	assert_true(header.size <= *size);
	memcpy(payload, message + sizeof(header), header.size);
	*size = header.size;
	return header.status;
}

static void play_vtpm(const struct world *world)
{
	uint32_t version = 77;
	size_t size = sizeof(version);

	assert_int_equal(take(world->vtpm, &version, &size), VTPM_OP_MANIFEST);
	assert_int_equal(size, sizeof(version));
	assert_int_equal(version, 0);
	give(world->vtpm, SERVICE_OK, manifest_text, sizeof(manifest_text));
}

static void lie_in_payload(struct psp_report_rsp *rsp, enum lie lie)
{
	switch (lie) {
	case OTHER_REPORT_DATA:
		rsp->report.report_data[63] ^= 1;
		break;
	case OTHER_VMPL:
		rsp->report.vmpl = 1;
		break;
	case BAD_STATUS:
		rsp->status = PSP_STATUS_INVALID_PARAMETER;
		break;
	default:
		break;
	}
}

static void play_amd_sp(struct world *world, enum lie lie, struct psp_report_req *asked)
{
	struct sealed_message request, response;
	struct psp_report_rsp rsp = { .size = sizeof(rsp.report), .report = { .version = 3 } };
	uint8_t reply[4 + sizeof(response) + 5] = { 5 };
	size_t size = sizeof(request);

	assert_int_equal(take(world->amd_sp, &request, &size), AMDSP_OP_SEQNO);
	give(world->amd_sp, SERVICE_OK, &world->seqno, sizeof(world->seqno));
	size = sizeof(request);
	assert_int_equal(take(world->amd_sp, &request, &size), AMDSP_OP_SEND);
	assert_int_equal(size, sizeof(request));
	assert_true(sealed_open(&request, key, PSP_MSG_REPORT_REQ, world->seqno, asked,
				sizeof(*asked), &size));
	assert_int_equal(size, sizeof(*asked));
	if (lie == BUSY) {
		give(world->amd_sp, SERVICE_ERR_BUSY, NULL, 0);
		return;
	}
	rsp.report.vmpl = asked->vmpl;
	memcpy(rsp.report.report_data, asked->report_data, sizeof(asked->report_data));
	lie_in_payload(&rsp, lie);
	assert_true(sealed_seal(&response, key,
				lie == REQUEST_TYPE ? PSP_MSG_REPORT_REQ : PSP_MSG_REPORT_RSP,
				world->seqno + (lie == OTHER_SEQNO ? 3 : 1), &rsp,
				sizeof(rsp) - (lie == SHORT_PAYLOAD)));
	response.header.authtag[0] ^= lie == BAD_TAG;
	reply[0] += lie == CERTIFICATE_COUNT;
	memcpy(reply + 4, &response, sizeof(response));
	memcpy(reply + 4 + sizeof(response), "certs", 5);
	give(world->amd_sp, SERVICE_OK, reply, sizeof(reply));
}

static void report_data(const uint8_t nonce[64], const void *manifest, size_t size,
			uint8_t digest[64])
{
	uint8_t text[512];

	memcpy(text, nonce, 64);
	memcpy(text + 64, manifest, size);
	SHA512(text, 64 + size, digest);
}

static struct attest_request make_request(void)
{
	struct attest_request request = { .service = vtpm_guid };

	for (size_t i = 0; i < sizeof(request.nonce); i++)
		request.nonce[i] = (uint8_t)(i * 7);
	return request;
}

static void check_reply(const uint8_t *reply, size_t size, const struct attest_request *request,
			const struct psp_report_req *asked, const void *manifest,
			size_t manifest_size)
{
	struct attest_reply header;
	uint8_t digest[64];

	assert_true(size >= sizeof(header));
	memcpy(&header, reply, sizeof(header));
	assert_int_equal(header.report_size, 1184);
	assert_int_equal(header.manifest_size, manifest_size);
	assert_int_equal(header.certificates_size, 5);
	assert_int_equal(size, 16 + 1184 + manifest_size + 5);
	assert_memory_equal(reply + 16 + 1184, manifest, manifest_size);
	assert_memory_equal(reply + 16 + 1184 + manifest_size, "certs", 5);
	assert_int_equal(asked->vmpl, 0);
	report_data(request->nonce, manifest, manifest_size, digest);
	assert_memory_equal(asked->report_data, digest, 64);
}

static void test_single_service(void **state)
{
	struct attest_request request = make_request();
	struct psp_report_req asked;
	struct world world;
	uint8_t reply[8192];

	(void)state;
	start(&world);
	for (int round = 0; round < 2; round++, world.seqno += 2) {
		size_t size = sizeof(reply);

		send_request(&world, ATTEST_OP_SINGLE_SERVICE, &request, sizeof(request));
		play_vtpm(&world);
		play_amd_sp(&world, HONEST, &asked);
		assert_int_equal(receive_reply(&world, reply, &size), SERVICE_OK);
		check_reply(reply, size, &request, &asked, manifest_text, sizeof(manifest_text));
	}
	stop(&world);
}

/* Services manifest: 58019, chapter 7: GUID, size, count, then {GUID, offset, size} each. */
static void test_all_services(void **state)
{
	static const uint8_t head[] = {
		0xbb, 0x9e, 0x84, 0x63, 0x92, 0x3d, 0x70, 0x46, 0xa1, 0xff, 0x58, 0xf9,
		0xc9, 0x4b, 0x87, 0xbb, 73,   0,    0,	  0,	1,    0,    0,	  0,
		0xeb, 0xf1, 0x76, 0xc4, 0x23, 0x01, 0xa5, 0x45, 0x96, 0x41, 0xb4, 0xe7,
		0xdd, 0xe5, 0xbf, 0xe3, 48,   0,    0,	  0,	25,   0,    0,	  0,
	};
	struct attest_request request = make_request();
	struct psp_report_req asked;
	struct world world;
	uint8_t reply[8192], manifest[sizeof(head) + sizeof(manifest_text)];
	size_t size = sizeof(reply);

	(void)state;
	assert_int_equal(sizeof(manifest), 73);
	memcpy(manifest, head, sizeof(head));
	memcpy(manifest + sizeof(head), manifest_text, sizeof(manifest_text));
	start(&world);
	send_request(&world, ATTEST_OP_SERVICES, &request, sizeof(request));
	play_vtpm(&world);
	play_amd_sp(&world, HONEST, &asked);
	assert_int_equal(receive_reply(&world, reply, &size), SERVICE_OK);
	check_reply(reply, size, &request, &asked, manifest, sizeof(manifest));
	stop(&world);
}

static void test_lies(void **state)
{
	struct attest_request request = make_request();
	struct psp_report_req asked;
	struct world world;
	uint8_t reply[8192];

	(void)state;
	start(&world);
	for (enum lie lie = BUSY; lie < LIES; lie++) {
		size_t size = sizeof(reply);

		send_request(&world, ATTEST_OP_SINGLE_SERVICE, &request, sizeof(request));
		play_vtpm(&world);
		play_amd_sp(&world, lie, &asked);
		assert_int_equal(receive_reply(&world, reply, &size),
				 lie == BUSY ? SERVICE_ERR_BUSY : SERVICE_ERR_FAILED);
		assert_int_equal(size, 0);
	}
	stop(&world);
}

static uint32_t ask(struct world *world, uint32_t op, const void *payload, size_t payload_size)
{
	uint8_t reply[64];
	size_t size = sizeof(reply);

	send_request(world, op, payload, payload_size);
	return receive_reply(world, reply, &size);
}

static void test_refused(void **state)
{
	struct attest_request request = make_request();
	struct world world;

	(void)state;
	start(&world);
	assert_int_equal(ask(&world, 0, &request, sizeof(request)), SERVICE_ERR_UNSUPPORTED);
	assert_int_equal(ask(&world, 3, &request, sizeof(request)), SERVICE_ERR_UNSUPPORTED);
	assert_int_equal(ask(&world, ATTEST_OP_SERVICES, &request, sizeof(request) - 1),
			 SERVICE_ERR_FORMAT);
	request.reserved = 1;
	assert_int_equal(ask(&world, ATTEST_OP_SERVICES, &request, sizeof(request)),
			 SERVICE_ERR_FORMAT);
	request = make_request();
	request.service.bytes[15] ^= 1;
	assert_int_equal(ask(&world, ATTEST_OP_SINGLE_SERVICE, &request, sizeof(request)),
			 SERVICE_ERR_UNSUPPORTED);
	stop(&world);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single_service),
		cmocka_unit_test(test_all_services),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_refused),
	};

	if (argc != 2)
		return 2;
	attest_path = argv[1];
	signal(SIGALRM, SIG_DFL);
	alarm(60); /* a service that does not answer ends the test */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
