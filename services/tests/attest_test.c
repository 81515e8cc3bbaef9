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

static void stop_service(struct world *world)
{
	close(world->requests);
	close(world->amd_sp);
	waitpid(world->pid, NULL, 0);
}

static void send_request(const struct world *world, uint32_t op, const void *payload, size_t size)
{
	uint8_t message[4096];
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

/* ---- Requests, and what they may bind ---- */

struct text {
	uint8_t data[4096];
	size_t size;
};

static void put(struct text *text, const void *data, size_t size)
{
	assert_true(size <= sizeof(text->data) - text->size);
	memcpy(text->data + text->size, data, size);
	text->size += size;
}

/* What a manifest is made of; whole keys, whose numbers nobody looks at. */
#define VTPM_GUID "\xeb\xf1\x76\xc4\x23\x01\xa5\x45\x96\x41\xb4\xe7\xdd\xe5\xbf\xe3"
static const uint8_t ek_head[] =
	"\x00\x01\x00\x0b\x00\x03\x00\xb2\x00\x20\x83\x71\x97\x67\x44\x84\xb3\xf8\x1a\x90\xcc"
	"\x8d\x46\xa5\xd7\x24\xfd\x52\xd7\x6e\x06\x52\x0b\x64\xf2\xa1\xda\x1b\x33\x14\x69\xaa"
	"\x00\x06\x00\x80\x00\x43\x00\x10\x08\x00\x00\x00\x00\x00\x01";
#define AK_HEAD \
	"\x00\x23\x00\x0b\x00\x05\x00\x72\x00\x00\x00\x10\x00\x18\x00\x0b\x00\x03\x00\x10\x00"
static const uint8_t ak_head[] = AK_HEAD;

static void put_ek(struct text *text)
{
	uint8_t modulus[256];

	memset(modulus, 0xd5, sizeof(modulus));
	put(text, ek_head, sizeof(ek_head)); /* with the NUL: sizes 0x0100 */
	put(text, modulus, sizeof(modulus));
}

static void put_ak(struct text *text)
{
	uint8_t coordinate[32];

	memset(coordinate, 0x3c, sizeof(coordinate));
	put(text, ak_head, sizeof(ak_head) - 1);
	put(text, "\x20", 1);
	put(text, coordinate, sizeof(coordinate));
	put(text, "\x00\x20", 2);
	put(text, coordinate, sizeof(coordinate));
}

static void put_selector_of_ak(struct text *text)
{
	put(text, "\1\0\0\0\0\0\0\0", 8);
	put(text, ak_head, sizeof(ak_head) - 1);
	put(text, "\x00\x00\x00", 3);
}

/* Manifests: version 0, and version 1 of one key and of two. */
enum manifest { EK, AK, LIST_EK, LIST_AK, LIST_EK_AK, MANIFESTS };

static void put_manifest(struct text *text, enum manifest which)
{
	switch (which) {
	case EK:
		put_ek(text);
		break;
	case AK:
		put_ak(text);
		break;
	case LIST_EK:
		put(text, "\0\0\0\1\0\0\0\1\x01\x3a", 10);
		put_ek(text);
		break;
	case LIST_AK:
		put(text, "\0\0\0\1\0\0\0\1\x00\x58", 10);
		put_ak(text);
		break;
	default:
		put(text, "\0\0\0\1\0\0\0\2\x01\x3a", 10);
		put_ek(text);
		put(text, "\x00\x58", 2);
		put_ak(text);
		break;
	}
}

static uint32_t version_of(enum manifest which)
{
	return which >= LIST_EK;
}

/*
 * Every context in which there is a report over a manifest (create-and-attest, section 6.1), with a
 * manifest that answers it, and the bytes that stand before that: those of the specifications.
 */
static const struct context {
	const char *name;
	uint32_t op;
	enum manifest manifest;
	const char *selector;
	size_t selector_size;
	const char *tag; /* before the selector, or before the manifest */
	size_t tag_size;
} contexts[] = {
	{ "call 0", ATTEST_OP_SERVICES, EK, "", 0,
	  /* 58019, section 7: GUID, total size, one entry: GUID, offset, size. */
	  "\xbb\x9e\x84\x63\x92\x3d\x70\x46\xa1\xff\x58\xf9\xc9\x4b\x87\xbb\x6a\x01\0\0\1\0\0"
	  "\0" VTPM_GUID "\x30\0\0\0\x3a\x01\0\0",
	  48 },
	{ "call 1, version 0", ATTEST_OP_SINGLE, EK, "", 0, "", 0 },
	{ "call 1, version 1", ATTEST_OP_SINGLE, LIST_EK_AK, "", 0, "", 0 },
	{ "call 2, a key", ATTEST_OP_SINGLE, LIST_AK, "\2\0\0\0\0\0\0\0\x82\0\0\0", 12,
	  "SSM2" VTPM_GUID "\1\0\0\0\x0c\0\0\0", 28 },
	{ "call 2, a template", ATTEST_OP_SINGLE, AK, "\1\0\0\0\0\0\0\0" AK_HEAD "\x00\x00\x00", 32,
	  "SSM2" VTPM_GUID "\0\0\0\0\x20\0\0\0", 28 },
	{ "call 2, an NV index", ATTEST_OP_SINGLE, AK, "\3\0\0\0\0\0\0\0\3\0\xc1\1", 12,
	  "SSM2" VTPM_GUID "\0\0\0\0\x0c\0\0\0", 28 },
	{ "the CA", ATTEST_OP_CA, LIST_EK_AK, "tcg", 3, "SCAR" VTPM_GUID "\1\0\0\0\3\0\0\0", 28 },
};
#define CONTEXTS (sizeof(contexts) / sizeof(contexts[0]))

/* A request for the context, with any bytes as the manifest. */
static void make_request(struct text *request, const struct context *context, uint32_t version,
			 const struct text *manifest)
{
	struct attest_request header = {
		.manifest_version = version,
		.selector_size = (uint32_t)context->selector_size,
		.manifest_size = (uint32_t)manifest->size,
	};

	for (size_t i = 0; i < sizeof(header.nonce); i++)
		header.nonce[i] = (uint8_t)(i * 7);
	request->size = 0;
	put(request, &header, sizeof(header));
	put(request, context->selector, context->selector_size);
	put(request, manifest->data, manifest->size);
}

static void make_honest_request(struct text *request, const struct context *context)
{
	struct text manifest = { .size = 0 };

	put_manifest(&manifest, context->manifest);
	make_request(request, context, version_of(context->manifest), &manifest);
}

/* What stands between nonce and manifest. */
static void put_tag(struct text *text, const struct context *context)
{
	put(text, context->tag, context->tag_size);
	put(text, context->selector, context->selector_size);
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

static void test_contexts(void **state)
{
	struct psp_report_req req;
	struct world world;
	uint8_t reply[8192], digest[64];

	(void)state;
	start(&world);
	for (size_t i = 0; i < CONTEXTS; i++, world.seqno += 2) {
		struct text request, hashed = { .size = 0 };
		size_t size = sizeof(reply);

		make_honest_request(&request, &contexts[i]);
		put(&hashed, request.data, 64);
		put_tag(&hashed, &contexts[i]);
		put_manifest(&hashed, contexts[i].manifest);
		SHA512(hashed.data, hashed.size, digest);
		send_request(&world, contexts[i].op, request.data, request.size);
		play_amd_sp(&world, HONEST, &req);
		assert_int_equal(receive_reply(&world, reply, &size), SERVICE_OK);
		check_reply(reply, size, &req, digest);
	}
	stop_service(&world);
}

static uint32_t ask(struct world *world, uint32_t op, const void *payload, size_t payload_size)
{
	uint8_t reply[64];
	size_t size = sizeof(reply);

	send_request(world, op, payload, payload_size);
	return receive_reply(world, reply, &size);
}

/* 64 bytes of a guest's, and a public area: an RSA signing key whose modulus is 0xff bytes. */
static size_t make_runtime_request(uint8_t data[2048])
{
	static const uint8_t area[] = { 0x00, 0x01, 0x00, 0x0b, 0x00, 0x05, 0x04, 0x72,
					0x00, 0x00, 0x00, 0x10, 0x00, 0x14, 0x00, 0x0b,
					0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00 };

	for (uint8_t i = 0; i < 64; i++)
		data[i] = (uint8_t)(i + 0xc0);
	memcpy(data + 64, area, sizeof(area));
	memset(data + 64 + sizeof(area), 0xff, 256);
	return 64 + sizeof(area) + 256;
}

/*
 * REPORT_DATA = SHA-256(runtime data), then zeros, and the runtime data comes back. 256 bytes of
 * 0xff are 341 times '_' and then 'w' in base64url (RFC 4648, table 2).
 */
static void test_runtime_data(void **state)
{
	static const char begin[] =
		"{\"keys\":[{\"kid\":\"HCLAkPub\",\"key_ops\":[\"sign\"],\"kty\":\"RSA\","
		"\"e\":\"AQAB\",\"n\":\"";
	static const char end[] =
		"w\"}],\"vm-configuration\":{\"tpm-enabled\":true},\"user-data\":\""
		"c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
		"e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff\"}";
	uint8_t reply[8192], data[2048], digest[64] = { 0 };
	struct psp_report_req req;
	struct attest_reply sizes;
	struct world world;
	char text[1024];
	size_t size = sizeof(reply);

	(void)state;
	start(&world);
	send_request(&world, ATTEST_OP_RUNTIME_DATA, data, make_runtime_request(data));
	play_amd_sp(&world, HONEST, &req);
	assert_int_equal(receive_reply(&world, reply, &size), SERVICE_OK);
	memset(text, 0, sizeof(text));
	strcpy(text, begin);
	memset(text + strlen(text), '_', 341);
	strcat(text, end);
	memcpy(&sizes, reply, sizeof(sizes));
	assert_int_equal(sizes.report_size, sizeof(struct psp_report));
	assert_int_equal(sizes.certificates_size, strlen(text));
	assert_int_equal(size, sizeof(sizes) + sizeof(struct psp_report) + strlen(text));
	assert_memory_equal(reply + size - strlen(text), text, strlen(text));
	SHA256((const uint8_t *)text, strlen(text), digest);
	assert_int_equal(req.vmpl, 0);
	assert_memory_equal(req.report_data, digest, sizeof(digest));
	stop_service(&world);
}

/* Nothing but a key for quotes is bound so, whatever asks. */
static void test_runtime_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} changes[] = {
		{ 64 + 1, 0x08 },  /* a keyed hash */
		{ 64 + 1, 0x23 },  /* another type than the rest says */
		{ 64 + 3, 0x04 },  /* Name algorithm SHA-1 */
		{ 64 + 5, 0x04 },  /* not restricted */
		{ 64 + 5, 0x03 },  /* it decrypts */
		{ 64 + 7, 0x70 },  /* not fixedTPM */
		{ 64 + 16, 0x04 }, /* 1024 bits */
		{ 64 + 22, 0x00 }, /* no modulus */
	};
	struct world world;
	uint8_t data[2048];
	size_t size;

	(void)state;
	start(&world);
	size = make_runtime_request(data);
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(ask(&world, ATTEST_OP_RUNTIME_DATA, data, cut),
				 SERVICE_ERR_FORMAT);
	assert_int_equal(ask(&world, ATTEST_OP_RUNTIME_DATA, data, size + 1), SERVICE_ERR_FORMAT);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		make_runtime_request(data);
		data[changes[i].at] = changes[i].value;
		assert_int_equal(ask(&world, ATTEST_OP_RUNTIME_DATA, data, size),
				 SERVICE_ERR_FORMAT);
	}
	stop_service(&world);
}

static void test_lies(void **state)
{
	struct psp_report_req req;
	struct text asked;
	struct world world;
	uint8_t reply[8192];

	(void)state;
	start(&world);
	make_honest_request(&asked, &contexts[1]);
	for (enum lie lie = BUSY; lie < LIES; lie++) {
		size_t size = sizeof(reply);

		send_request(&world, ATTEST_OP_SINGLE, asked.data, asked.size);
		play_amd_sp(&world, lie, &req);
		assert_int_equal(receive_reply(&world, reply, &size),
				 lie == BUSY ? SERVICE_ERR_BUSY : SERVICE_ERR_FAILED);
		assert_int_equal(size, 0);
	}
	stop_service(&world);
}

static void test_refused(void **state)
{
	struct text asked;
	struct world world;

	(void)state;
	start(&world);
	make_honest_request(&asked, &contexts[3]);
	assert_int_equal(ask(&world, 0, asked.data, asked.size), SERVICE_ERR_UNSUPPORTED);
	assert_int_equal(ask(&world, 3, asked.data, asked.size), SERVICE_ERR_UNSUPPORTED);
	assert_int_equal(ask(&world, SERVICE_OP_MONITOR | 3, asked.data, asked.size),
			 SERVICE_ERR_UNSUPPORTED);
	assert_int_equal(ask(&world, ATTEST_OP_RUNTIME_DATA, "", 0), SERVICE_ERR_FORMAT);
	for (size_t size = 0; size < asked.size; size++)
		assert_int_equal(ask(&world, ATTEST_OP_SINGLE, asked.data, size),
				 SERVICE_ERR_FORMAT);
	assert_int_equal(ask(&world, ATTEST_OP_SINGLE, asked.data, asked.size + 1),
			 SERVICE_ERR_FORMAT);
	asked.data[76] = 1; /* reserved */
	assert_int_equal(ask(&world, ATTEST_OP_SINGLE, asked.data, asked.size), SERVICE_ERR_FORMAT);
	asked.data[76] = 0;
	/* Sizes whose sum overflows 32 bits. */
	memset(asked.data + 68, 0xff, 4);
	assert_int_equal(ask(&world, ATTEST_OP_SINGLE, asked.data, asked.size), SERVICE_ERR_FORMAT);
	stop_service(&world);
}

/* There is no report, and the AMD-SP was not asked for one. */
static void assert_no_report(struct world *world, const struct context *context, uint32_t version,
			     const struct text *manifest)
{
	struct text request;
	uint8_t byte;

	make_request(&request, context, version, manifest);
	assert_int_equal(ask(world, context->op, request.data, request.size), SERVICE_ERR_FORMAT);
	assert_int_equal(recv(world->amd_sp, &byte, 1, MSG_DONTWAIT), -1);
}

/*
 * A vtpm that lies, or was broken into: what it calls its manifest is what stands behind the nonce
 * in another context, so that a report over it would read as one of that context. In every context,
 * with every other one, in either version.
 */
static void test_vtpm_plays_another_context(void **state)
{
	struct world world;

	(void)state;
	start(&world);
	for (size_t i = 0; i < CONTEXTS; i++) {
		for (size_t other = 0; other < CONTEXTS; other++) {
			struct text manifest = { .size = 0 };

			if (contexts[other].tag_size == 0)
				continue; /* it starts with its manifest, as this one may */
			put_tag(&manifest, &contexts[other]);
			put_manifest(&manifest, contexts[other].manifest);
			for (uint32_t version = 0; version < 3; version++)
				assert_no_report(&world, &contexts[i], version, &manifest);
		}
	}
	stop_service(&world);
}

/* Manifests are bound for what they are: not for another version, nor with more behind them. */
static void test_vtpm_gives_no_manifest(void **state)
{
	struct world world;

	(void)state;
	start(&world);
	for (size_t i = 0; i < CONTEXTS; i++) {
		uint32_t version = version_of(contexts[i].manifest);
		struct text manifest = { .size = 0 };

		assert_no_report(&world, &contexts[i], version, &manifest);
		put_manifest(&manifest, contexts[i].manifest);
		assert_no_report(&world, &contexts[i], version ^ 1, &manifest);
		assert_no_report(&world, &contexts[i], UINT32_MAX, &manifest);
		manifest.size--;
		assert_no_report(&world, &contexts[i], version, &manifest);
		manifest.size++;
		put(&manifest, "", 1);
		assert_no_report(&world, &contexts[i], version, &manifest);
		manifest.size--;
		/* fixedTPM of the last key: somebody else may have it. */
		manifest.data[manifest.size - (contexts[i].manifest == EK ? 314 : 88) + 7] ^= 2;
		assert_no_report(&world, &contexts[i], version, &manifest);
	}
	stop_service(&world);
}

/* Manifests of whole keys that are not what the context is about. */
static void test_vtpm_gives_other_keys(void **state)
{
	static const struct {
		const char *selector;
		size_t size;
		enum manifest manifest;
	} others[] = {
		{ "", 0, AK }, /* no EK */
		{ "\2\0\0\0\0\0\0\0\x82\0\0\0", 12, EK },
		{ "\2\0\0\0\0\0\0\0\x81\0\0\0", 12, LIST_AK },
		{ "\2\0\0\0\0\0\0\0\x82\0\0\0", 12, LIST_EK_AK },
		{ "\2\0\0\0\0\0\0\0\x77\0\0\0", 12, LIST_AK },
		{ "\3\0\0\0\0\0\0\0\3\0\xc1\1", 12, LIST_EK_AK },
		{ "\3\0\0\0\0\0\0\0\3\0\xc1\2", 12, AK }, /* no NV index */
		{ "\4\0\0\0\0\0\0\0\3\0\xc1\1", 12, AK },
		{ "\2\0\0\0\0\0\0", 7, AK },
	};
	struct context context = { .op = ATTEST_OP_SINGLE };
	struct text manifest, selector = { .size = 0 };
	struct world world;

	(void)state;
	start(&world);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		context.selector = others[i].selector;
		context.selector_size = others[i].size;
		manifest.size = 0;
		put_manifest(&manifest, others[i].manifest);
		assert_no_report(&world, &context, version_of(others[i].manifest), &manifest);
	}
	/* Another template's key, in any member before unique. */
	put_selector_of_ak(&selector);
	context.selector = (const char *)selector.data;
	context.selector_size = selector.size;
	for (enum manifest m = EK; m < MANIFESTS; m++) {
		manifest.size = 0;
		put_manifest(&manifest, m);
		selector.data[8 + 7] ^= m == AK || m == LIST_AK ? 4 : 0; /* stClear */
		assert_no_report(&world, &context, version_of(m), &manifest);
		selector.data[8 + 7] ^= m == AK || m == LIST_AK ? 4 : 0;
	}
	stop_service(&world);
}

/* No selector and no name where there is none, a name where there has to be one. */
static void test_selectors_of_contexts(void **state)
{
	static const char name[33] = "a2345678901234567890123456789012";
	struct context all = contexts[0], ca = contexts[CONTEXTS - 1];
	struct text ek = { .size = 0 }, list = { .size = 0 };
	struct world world;

	(void)state;
	start(&world);
	put_manifest(&ek, EK);
	put_manifest(&list, LIST_EK_AK);
	all.selector = "\2\0\0\0\0\0\0\0\1\0\0\0";
	all.selector_size = 12;
	assert_no_report(&world, &all, 0, &ek);
	ca.selector_size = 0;
	assert_no_report(&world, &ca, 1, &list);
	ca.selector = name;
	ca.selector_size = 32;
	assert_no_report(&world, &ca, 1, &list);
	stop_service(&world);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contexts),
		cmocka_unit_test(test_runtime_data),
		cmocka_unit_test(test_runtime_refused),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_vtpm_plays_another_context),
		cmocka_unit_test(test_vtpm_gives_no_manifest),
		cmocka_unit_test(test_vtpm_gives_other_keys),
		cmocka_unit_test(test_selectors_of_contexts),
	};

	if (argc != 2)
		return 2;
	attest_path = argv[1];
	signal(SIGALRM, SIG_DFL);
	alarm(60); /* a service that does not answer ends the test */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
