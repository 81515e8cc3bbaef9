/* SPDX-License-Identifier: MIT */
#include "services/vtpm/certificates.h"

#include <stdlib.h>
#include <string.h>

#include "abi/ca.h"
#include "core/base/bytes.h"
#include "services/vtpm/certificate.h"
#include "services/vtpm/host_channel.h"
#include "services/vtpm/manifest.h"
#include "services/vtpm/report.h"

#define REASON_MAX 100u /* of the CA's own words, in the log */

static uint64_t deadline(const struct vtpm *vtpm)
{
	return host_channel_deadline(vtpm->profile->certificate_timeout_ms);
}

/* Logs the CA's line. It must not pass for a line of ours, so it keeps no control characters. */
static void log_refusal(const struct host_message *message)
{
	char line[REASON_MAX + 1];
	size_t size = message->size < REASON_MAX ? message->size : REASON_MAX;

	for (size_t i = 0; i < size; i++) {
		char c = (char)message->payload[i];

		line[i] = c >= ' ' && c <= '~' ? c : '.';
	}
	line[size] = '\0';
	serve_logf("vtpm: the CA says: %s", line);
}

/* Waits for a message of one type; any other ends the conversation. */
static const char *expect(const struct vtpm *vtpm, enum ca_type type, struct host_message *message)
{
	const char *reason = host_channel_receive(message, deadline(vtpm));

	if (reason || message->type == type)
		return reason;
	reason = "the CA's answer is of the wrong kind";
	if (message->type == CA_REFUSED) {
		log_refusal(message);
		reason = "the CA refuses";
	}
	free(message->payload);
	return reason;
}

static const char *get_nonce(const struct vtpm *vtpm, uint8_t nonce[SVSM_NONCE_SIZE])
{
	const char *name = vtpm->profile->name;
	struct host_message message;
	const char *reason = host_channel_send(CA_HELLO, name, strlen(name), deadline(vtpm));

	if (!reason)
		reason = expect(vtpm, CA_NONCE, &message);
	if (reason)
		return reason;
	if (message.size == SVSM_NONCE_SIZE)
		memcpy(nonce, message.payload, SVSM_NONCE_SIZE);
	else
		reason = "the CA's nonce is none";
	free(message.payload);
	return reason;
}

/* What is sent to the attest service and to the CA. */
struct request {
	struct report report;
	uint8_t manifest[VTPM_MANIFEST_MAX];
	size_t manifest_size;
	uint8_t bytes[SERVE_CALL_MAX];
	struct serve_output out;
};

static bool put(struct request *request, const void *data, size_t size)
{
	return serve_append(&request->out, data, size) == SERVICE_OK;
}

static void rewind_request(struct request *request)
{
	request->out = (struct serve_output){ .data = request->bytes,
					      .capacity = sizeof(request->bytes) };
}

/* The report binds the CA's nonce, the profile and the keys (abi/ca.h); attest puts the tag. */
static bool bind(const struct vtpm *vtpm, struct request *request,
		 const uint8_t nonce[SVSM_NONCE_SIZE])
{
	size_t name_size = strlen(vtpm->profile->name);
	struct attest_request header = {
		.manifest_version = 1,
		.selector_size = (uint32_t)name_size,
		.manifest_size = (uint32_t)request->manifest_size,
	};

	memcpy(header.nonce, nonce, sizeof(header.nonce));
	rewind_request(request);
	return put(request, &header, sizeof(header)) &&
	       put(request, vtpm->profile->name, name_size) &&
	       put(request, request->manifest, request->manifest_size) &&
	       report_get(&request->report, ATTEST_OP_CA, request->bytes, request->out.size);
}

static bool build(struct request *request)
{
	const struct report *report = &request->report;
	struct ca_request header = {
		.report_size = report->report_size,
		.manifest_size = (uint32_t)request->manifest_size,
		.certificates_size = report->certificates_size,
	};

	rewind_request(request);
	return put(request, &header, sizeof(header)) &&
	       put(request, report->report, report->report_size) &&
	       put(request, request->manifest, request->manifest_size) &&
	       put(request, report->certificates, report->certificates_size) &&
	       request->out.size <= CA_PAYLOAD_MAX;
}

static const char *send_request(struct vtpm *vtpm, struct request *request)
{
	uint8_t nonce[SVSM_NONCE_SIZE];
	struct serve_output manifest = { .data = request->manifest,
					 .capacity = sizeof(request->manifest) };
	const char *reason = get_nonce(vtpm, nonce);

	if (reason)
		return reason;
	if (manifest_of_first_keys(vtpm, &manifest) != SERVICE_OK)
		return "there is no manifest";
	request->manifest_size = manifest.size;
	if (!bind(vtpm, request, nonce))
		return "there is no report for the CA";
	if (!build(request))
		return "the request is too large";
	return host_channel_send(CA_REQUEST, request->bytes, request->out.size, deadline(vtpm));
}

static bool is_wanted(const struct profile *profile, size_t key)
{
	for (size_t i = 0; i < profile->nv_count; i++) {
		if (profile->nv[i].content == PROFILE_CONTENT_CERTIFICATE &&
		    profile->nv[i].key == key)
			return true;
	}
	return false;
}

static const char *take_certificate(struct vtpm *vtpm, struct certificates *certificates,
				    size_t key, struct bytes_reader *r)
{
	const struct cache_entry *entry = vtpm_profile_key(vtpm, key);
	size_t size = bytes_le32(r);
	const uint8_t *der = bytes_take(r, size);

	if (!der)
		return "the CA's answer is cut short";
	if (!is_wanted(vtpm->profile, key))
		return NULL;
	if (size == 0 || size > PROFILE_NV_SIZE_MAX)
		return "a certificate is missing or too large";
	certificates->der[key].data = der;
	certificates->der[key].size = size;
	return certificate_check(der, size, entry->public_area, entry->public_size,
				 vtpm->profile->keys[key].role);
}

/* Keys that are left for later want no certificate, and the CA does not hear of them. */
static size_t asked_for(const struct vtpm *vtpm)
{
	size_t count = 0;

	for (size_t i = 0; i < vtpm->profile->key_count; i++)
		count += !vtpm->awaited[i];
	return count;
}

static const char *take_certificates(struct vtpm *vtpm, struct certificates *certificates,
				     const struct host_message *message)
{
	struct bytes_reader r = bytes_reader_init(message->payload, message->size);
	const char *reason = NULL;

	if (bytes_le32(&r) != asked_for(vtpm))
		return "the CA's answer is not for these keys";
	for (size_t i = 0; i < vtpm->profile->key_count && !reason; i++) {
		if (!vtpm->awaited[i])
			reason = take_certificate(vtpm, certificates, i, &r);
	}
	if (!reason && !bytes_complete(&r))
		reason = "something follows the CA's certificates";
	return reason;
}

const char *certificates_get(struct vtpm *vtpm, struct certificates *certificates)
{
	struct request *request = malloc(sizeof(*request));
	struct host_message message;
	const char *reason = "out of memory";

	if (!request)
		return reason;
	reason = send_request(vtpm, request);
	free(request);
	if (!reason)
		reason = expect(vtpm, CA_CERTIFICATES, &message);
	if (reason)
		return reason;
	certificates->payload = message.payload;
	return take_certificates(vtpm, certificates, &message);
}

void certificates_free(struct certificates *certificates)
{
	free(certificates->payload);
	*certificates = (struct certificates){ 0 };
}
