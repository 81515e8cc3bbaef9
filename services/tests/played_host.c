/* SPDX-License-Identifier: MIT */
#include "services/tests/played_host.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "abi/ca.h"
#include "abi/psp.h"
#include "abi/svsm.h"
#include "core/base/bytes.h"
#include "core/base/crc32.h"
#include "core/tpm/host/tpm_public.h"
#include "services/attest/runtime.h"
#include "services/tests/spawn.h"

#define SLOW_MS 600u /* for a byte; less than what the vTPM, in the tests, waits for a message */

static const uint8_t nonce[SVSM_NONCE_SIZE] = "a nonce of the CA's";
static const char table[] = "the host's certificates";

void played_host_open(struct played_host *host, enum lie lie)
{
	int stream[2], messages[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream))
		err(2, "socketpair");
	/* As the monitor's host channel: a read() never waits. */
	fcntl(stream[1], F_SETFL, O_NONBLOCK);
	spawn_channel(messages);
	*host = (struct played_host){ .host_channel = stream[0],
				      .vtpm_host_channel = stream[1],
				      .attest = messages[0],
				      .vtpm_attest = messages[1],
				      .lie = lie };
}

void played_host_gave(struct played_host *host)
{
	close(host->vtpm_host_channel);
	close(host->vtpm_attest);
}

void played_host_close(struct played_host *host)
{
	close(host->host_channel);
	close(host->attest);
}

/* ---- The attest service ---- */

struct text {
	uint8_t data[CA_PAYLOAD_MAX + 64];
	size_t size;
};

static void put(struct text *text, const void *data, size_t size)
{
	if (size > sizeof(text->data) - text->size)
		errx(2, "the CA's message is too long");
	if (size)
		memcpy(text->data + text->size, data, size);
	text->size += size;
}

static void report_over(const void *data, size_t size, bool sha512, struct psp_report *report)
{
	*report = (struct psp_report){ .version = 3 };
	if (sha512)
		SHA512(data, size, report->report_data);
	else
		SHA256(data, size, report->report_data);
}

/* The context of a request to the CA: the tag, the vTPM's GUID, version 1, and the profile. */
static void put_context(struct text *text, const void *profile, size_t size)
{
	struct svsm_attest_context context = {
		.tag = CA_CONTEXT_TAG,
		.service = SVSM_GUID_VTPM,
		.manifest_version = 1,
		.selector_size = (uint32_t)size,
	};

	put(text, &context, sizeof(context));
	put(text, profile, size);
}

static bool report_to_ca(const uint8_t *payload, size_t size, struct psp_report *report)
{
	struct attest_request request;
	static struct text text;

	if (size < sizeof(request))
		return false;
	memcpy(&request, payload, sizeof(request));
	if (request.manifest_version != 1 ||
	    size != sizeof(request) + request.selector_size + request.manifest_size)
		return false;
	text.size = 0;
	put(&text, request.nonce, sizeof(request.nonce));
	put_context(&text, payload + sizeof(request), request.selector_size);
	put(&text, payload + sizeof(request) + request.selector_size, request.manifest_size);
	report_over(text.data, text.size, true, report);
	return true;
}

size_t played_host_report(uint32_t op, const uint8_t *payload, size_t size,
			  uint8_t reply[PLAYED_REPLY_MAX])
{
	char beside[RUNTIME_MAX];
	size_t beside_size = sizeof(table);
	struct attest_reply sizes = { .report_size = sizeof(struct psp_report) };
	struct psp_report report;

	memcpy(beside, table, sizeof(table));
	if (op == ATTEST_OP_CA) {
		if (!report_to_ca(payload, size, &report))
			return 0;
	} else {
		if (runtime_make(payload, size, beside, &beside_size))
			return 0;
		report_over(beside, beside_size, false, &report);
	}
	sizes.certificates_size = (uint32_t)beside_size;
	memcpy(reply, &sizes, sizeof(sizes));
	memcpy(reply + sizeof(sizes), &report, sizeof(report));
	memcpy(reply + sizeof(sizes) + sizeof(report), beside, beside_size);
	return sizeof(sizes) + sizeof(report) + beside_size;
}

/* One request, answered with a report that nobody signed. */
static bool play_attest(struct played_host *host)
{
	static uint8_t message[SERVICE_MESSAGE_MAX];
	ssize_t got = recv(host->attest, message, sizeof(message), 0);
	struct service_request request;
	struct {
		struct service_reply header;
		uint8_t payload[PLAYED_REPLY_MAX];
	} reply = { 0 };
	size_t size;

	if (got < (ssize_t)sizeof(request))
		return false;
	memcpy(&request, message, sizeof(request));
	if (request.size != (size_t)got - sizeof(request))
		return false;
	reply.header.size = (uint32_t)played_host_report(request.op, message + sizeof(request),
							 request.size, reply.payload);
	size = sizeof(reply.header) + reply.header.size;
	return reply.header.size && send(host->attest, &reply, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* ---- Certificates ---- */

static EVP_PKEY *ca_key(void)
{
	static EVP_PKEY *key;

	if (!key)
		key = EVP_EC_gen("P-256");
	return key;
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

static const char *usage(const struct wire_public *p, enum lie lie)
{
	bool signing = p->symmetric == TPM_ALG_NULL;

	if (lie == OTHER_USAGE)
		return signing ? "critical,keyAgreement" : "critical,digitalSignature";
	if (signing)
		return "critical,digitalSignature";
	return p->type == TPM_ALG_RSA ? "critical,keyEncipherment" : "critical,keyAgreement";
}

uint8_t *played_host_certificate(const uint8_t *public_area, size_t size, enum lie lie, int *length)
{
	X509 *certificate = X509_new();
	struct wire_public p;
	EVP_PKEY *key;
	uint8_t *der = NULL;

	if (wire_read_public(&p, public_area, size) != WIRE_OK)
		errx(2, "the manifest holds no public area");
	key = lie != OTHER_KEY	      ? tpm_public_key(&p)
	      : p.type == TPM_ALG_RSA ? EVP_RSA_gen(2048)
				      : EVP_EC_gen("P-256");
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_set_pubkey(certificate, key);
	add_extension(certificate, NID_basic_constraints,
		      lie == OF_A_CA ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(certificate, NID_key_usage, usage(&p, lie));
	X509_sign(certificate, ca_key(), EVP_sha256());
	*length = i2d_X509(certificate, &der);
	EVP_PKEY_free(key);
	X509_free(certificate);
	return der;
}

/* ---- Messages ---- */

static void put_u32(struct text *text, uint32_t value)
{
	put(text, &value, sizeof(value));
}

/* Whether the vTPM has something to say, or ends, before this time is over. */
static bool is_done_within(const struct played_host *host, unsigned int ms)
{
	struct pollfd fd = { .fd = host->request_channel, .events = POLLIN };

	return poll(&fd, 1, (int)ms) > 0;
}

/* Byte by byte, each before a deadline of its own would be over. */
static void send_slowly(const struct played_host *host, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (send(host->host_channel, data + i, 1, MSG_NOSIGNAL) != 1 ||
		    is_done_within(host, SLOW_MS))
			return;
	}
}

/* Sends a message as the lie has it. The vTPM may have gone: that is no matter. */
static void send_message(const struct played_host *host, uint32_t type, const struct text *payload)
{
	struct frame_header header = {
		.magic = CA_MAGIC ^ (host->lie == BAD_MAGIC),
		.type = host->lie == WRONG_TYPE ? CA_HELLO : type,
		.length = host->lie == HUGE_LENGTH ? UINT32_MAX : (uint32_t)payload->size,
		.crc32 = core_crc32(0, payload->data, payload->size) ^ (host->lie == BAD_CHECKSUM),
	};
	static struct text message;

	message.size = 0;
	put(&message, &header, sizeof(header));
	put(&message, payload->data, payload->size);
	if (host->lie == SLOW)
		send_slowly(host, message.data, message.size);
	else if (send(host->host_channel, message.data, message.size, MSG_NOSIGNAL) < 0)
		return;
}

static bool receive(const struct played_host *host, struct frame_header *header,
		    struct text *payload)
{
	int fd = host->host_channel;

	if (recv(fd, header, sizeof(*header), MSG_WAITALL) != sizeof(*header))
		return false;
	payload->size = header->length;
	return header->magic == CA_MAGIC && header->length <= CA_PAYLOAD_MAX &&
	       recv(fd, payload->data, header->length, MSG_WAITALL) == (ssize_t)header->length &&
	       core_crc32(0, payload->data, payload->size) == header->crc32;
}

static void answer_hello(const struct played_host *host)
{
	static struct text payload;

	payload.size = 0;
	if (host->lie == SILENT)
		return;
	if (host->lie == REFUSED) {
		put(&payload, "not today\nvtpm: ready", 21);
		send_message(host, CA_REFUSED, &payload);
		return;
	}
	put(&payload, nonce, sizeof(nonce) - (host->lie == SHORT_NONCE));
	send_message(host, CA_NONCE, &payload);
}

/* The report must bind nonce, profile and manifest, as abi/ca.h says. */
static bool report_ok(const uint8_t *report, const uint8_t *manifest, size_t manifest_size,
		      const char *profile)
{
	struct psp_report parsed;
	static struct text text;
	uint8_t digest[64];

	text.size = 0;
	put(&text, nonce, sizeof(nonce));
	put_context(&text, profile, strlen(profile));
	put(&text, manifest, manifest_size);
	SHA512(text.data, text.size, digest);
	memcpy(&parsed, report, sizeof(parsed));
	return memcmp(parsed.report_data, digest, sizeof(digest)) == 0;
}

static void put_certificate(struct text *payload, const uint8_t *public_area, size_t size,
			    enum lie lie)
{
	int length;
	uint8_t *der = played_host_certificate(public_area, size, lie, &length);

	if (lie == MISSING_CERTIFICATE)
		length = 0;
	put_u32(payload, (uint32_t)(length + (lie == TRAILING_DER) - (lie == TRUNCATED_DER)));
	put(payload, der, (size_t)(length - (lie == TRUNCATED_DER)));
	if (lie == TRAILING_DER)
		put(payload, "", 1);
	OPENSSL_free(der);
}

/* The certificates of all keys; the lie is about the last, or the last two. */
static bool make_answer(const struct played_host *host, const uint8_t *manifest, size_t size,
			struct text *payload)
{
	struct bytes_reader r = bytes_reader_init(manifest, size);
	const uint8_t *keys[16];
	size_t sizes[16];
	uint32_t count;

	if (bytes_be32(&r) != 1)
		return false;
	count = bytes_be32(&r);
	if (count < 2 || count > 16)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		sizes[i] = bytes_be16(&r);
		keys[i] = bytes_take(&r, sizes[i]);
	}
	if (!bytes_complete(&r))
		return false;
	put_u32(payload, count + (host->lie == ONE_MORE));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = i;

		if (host->lie == SWAPPED_KEYS && i >= count - 2)
			at = 2 * count - 3 - i;
		put_certificate(payload, keys[at], sizes[at], i == count - 1 ? host->lie : HONEST);
	}
	payload->size -= host->lie == CUT_SHORT;
	if (host->lie == TRAILING_BYTES)
		put(payload, "", 1);
	return true;
}

static bool answer_request(const struct played_host *host, const struct text *request,
			   const char *profile)
{
	struct bytes_reader r = bytes_reader_init(request->data, request->size);
	static struct text payload;
	struct ca_request header;
	const uint8_t *report, *manifest, *certificates;

	bytes_copy(&r, &header, sizeof(header));
	report = bytes_take(&r, header.report_size);
	manifest = bytes_take(&r, header.manifest_size);
	certificates = bytes_take(&r, header.certificates_size);
	if (!bytes_complete(&r) || header.reserved || header.report_size != 1184 ||
	    header.certificates_size != sizeof(table) ||
	    memcmp(certificates, table, sizeof(table)) != 0 ||
	    !report_ok(report, manifest, header.manifest_size, profile))
		return false;
	payload.size = 0;
	if (!make_answer(host, manifest, header.manifest_size, &payload))
		return false;
	if (host->lie != SILENT_AFTER_NONCE)
		send_message(host, CA_CERTIFICATES, &payload);
	return true;
}

static bool play_ca(const struct played_host *host, const char *profile)
{
	static struct text payload;
	struct frame_header header;

	if (!receive(host, &header, &payload))
		return false;
	if (header.type == CA_REQUEST)
		return answer_request(host, &payload, profile);
	if (header.type != CA_HELLO || payload.size != strlen(profile) ||
	    memcmp(payload.data, profile, payload.size) != 0)
		return false;
	answer_hello(host);
	return true;
}

/* A descriptor that has bytes, or none any more. */
static bool has_input(const struct pollfd *fd)
{
	return fd->revents & POLLIN;
}

static bool has_ended(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return got == 0 || (got < 0 && errno != EAGAIN);
}

bool played_host_play(struct played_host *host, const char *profile, int request_channel)
{
	struct pollfd fds[] = { { .fd = host->host_channel, .events = POLLIN },
				{ .fd = host->attest, .events = POLLIN },
				{ .fd = request_channel, .events = POLLIN } };

	host->request_channel = request_channel;
	while (poll(fds, 3, -1) > 0) {
		if (fds[2].revents)
			return true;
		if ((has_input(&fds[0]) && !has_ended(fds[0].fd) && !play_ca(host, profile)) ||
		    (has_input(&fds[1]) && !has_ended(fds[1].fd) && !play_attest(host)))
			return false;
		if ((fds[0].revents && has_ended(fds[0].fd)) ||
		    (fds[1].revents && has_ended(fds[1].fd)))
			return true;
	}
	return false;
}
