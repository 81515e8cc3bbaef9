/* SPDX-License-Identifier: MIT */
/*
 * The attest service as a Linux process, before an AMD-SP that the test plays: what it asks for,
 * what it gives, and that it believes no answer which is not one to its own request.
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
static const char context_text[] = "a context";
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
	int requests, amd_sp;
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
	int amd_sp[2];
	uint8_t payload[64];
	size_t size = sizeof(payload);

	spawn_channel(amd_sp);
	struct spawn_grant grants[] = { { amd_sp[1], 4 } };

	world->pid = spawn_service(attest_path, NULL, grants, 1, &world->requests);
	close(amd_sp[1]);
	world->amd_sp = amd_sp[0];
	world->seqno = 41;
	assert_int_equal(take(world->amd_sp, payload, &size), AMDSP_OP_KEY);
	give(world->amd_sp, SERVICE_OK, key, sizeof(key));
}

static void stop(struct world *world)
{
	close(world->requests);
	close(world->amd_sp);
	waitpid(world->pid, NULL, 0);
}

static void send_request(const struct world *world, uint32_t op, const void *payload, size_t size)
{
	uint8_t message[512];
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

/* A request with its context and manifest. */
struct asked {
	struct attest_request header;
	uint8_t bytes[256];
	size_t size;
};

static void make_request(struct asked *asked, const char *context)
{
	size_t context_size = context ? strlen(context) : 0;

	asked->header = (struct attest_request){ .context_size = (uint32_t)context_size,
						 .manifest_size = sizeof(manifest_text) };
	for (size_t i = 0; i < sizeof(asked->header.nonce); i++)
		asked->header.nonce[i] = (uint8_t)(i * 7);
	memcpy(asked->bytes, &asked->header, sizeof(asked->header));
	if (context_size)
		memcpy(asked->bytes + 72, context, context_size);
	memcpy(asked->bytes + 72 + context_size, manifest_text, sizeof(manifest_text));
	asked->size = 72 + context_size + sizeof(manifest_text);
}

static void check_reply(const uint8_t *reply, size_t size, const struct psp_report_req *req,
			const uint8_t report_data[64])
{
	struct attest_reply header;

	assert_true(size >= sizeof(header));
	memcpy(&header, reply, sizeof(header));
	assert_int_equal(header.report_size, 1184);
	assert_int_equal(header.certificates_size, 5);
	assert_int_equal(size, 8 + 1184 + 5);
	assert_memory_equal(reply + 8 + 1184, "certs", 5);
	assert_int_equal(req->vmpl, 0);
	assert_memory_equal(req->report_data, report_data, 64);
}

/* REPORT_DATA = SHA-512(nonce || context || manifest), with and without a context. */
static void test_report(void **state)
{
	static const char *const contexts[] = { NULL, context_text };
	struct psp_report_req req;
	struct world world;
	uint8_t reply[8192], text[256], digest[64];

	(void)state;
	start(&world);
	for (int round = 0; round < 2; round++, world.seqno += 2) {
		size_t size = sizeof(reply), context = round ? strlen(context_text) : 0;
		struct asked asked;

		make_request(&asked, contexts[round]);
		memcpy(text, asked.header.nonce, 64);
		memcpy(text + 64, context_text, context);
		memcpy(text + 64 + context, manifest_text, sizeof(manifest_text));
		SHA512(text, 64 + context + sizeof(manifest_text), digest);
		send_request(&world, ATTEST_OP_REPORT, asked.bytes, asked.size);
		play_amd_sp(&world, HONEST, &req);
		assert_int_equal(receive_reply(&world, reply, &size), SERVICE_OK);
		check_reply(reply, size, &req, digest);
	}
	stop(&world);
}

/* REPORT_DATA = SHA-256(data), then zeros. The digest of "abc" is FIPS 180-4's example. */
static void test_runtime_data(void **state)
{
	static const uint8_t digest[64] = {
		0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
		0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
		0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
	};
	struct psp_report_req req;
	struct world world;
	uint8_t reply[8192];
	size_t size = sizeof(reply);

	(void)state;
	start(&world);
	send_request(&world, ATTEST_OP_RUNTIME_DATA, "abc", 3);
	play_amd_sp(&world, HONEST, &req);
	assert_int_equal(receive_reply(&world, reply, &size), SERVICE_OK);
	check_reply(reply, size, &req, digest);
	stop(&world);
}

static void test_lies(void **state)
{
	struct psp_report_req req;
	struct asked asked;
	struct world world;
	uint8_t reply[8192];

	(void)state;
	start(&world);
	make_request(&asked, context_text);
	for (enum lie lie = BUSY; lie < LIES; lie++) {
		size_t size = sizeof(reply);

		send_request(&world, ATTEST_OP_REPORT, asked.bytes, asked.size);
		play_amd_sp(&world, lie, &req);
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
	struct asked asked;
	struct world world;

	(void)state;
	start(&world);
	make_request(&asked, context_text);
	assert_int_equal(ask(&world, 0, asked.bytes, asked.size), SERVICE_ERR_UNSUPPORTED);
	assert_int_equal(ask(&world, 3, asked.bytes, asked.size), SERVICE_ERR_UNSUPPORTED);
	assert_int_equal(ask(&world, ATTEST_OP_RUNTIME_DATA, "", 0), SERVICE_ERR_FORMAT);
	for (size_t size = 0; size < asked.size; size++)
		assert_int_equal(ask(&world, ATTEST_OP_REPORT, asked.bytes, size),
				 SERVICE_ERR_FORMAT);
	assert_int_equal(ask(&world, ATTEST_OP_REPORT, asked.bytes, asked.size + 1),
			 SERVICE_ERR_FORMAT);
	/* Sizes whose sum overflows 32 bits. */
	memset(asked.bytes + 64, 0xff, 4);
	assert_int_equal(ask(&world, ATTEST_OP_REPORT, asked.bytes, asked.size),
			 SERVICE_ERR_FORMAT);
	stop(&world);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_runtime_data),
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
