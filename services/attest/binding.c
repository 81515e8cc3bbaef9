/* SPDX-License-Identifier: MIT */
#include "services/attest/binding.h"

#include <stdbool.h>
#include <string.h>

#include "abi/ca.h"
#include "core/base/bytes.h"
#include "core/evidence/host/report_data.h"
#include "core/evidence/manifest_answer.h"
#include "core/evidence/services_manifest.h"
#include "core/tpm/profile.h"
#include "services/common/serve.h"

_Static_assert(sizeof(struct services_manifest) <= SELECTOR_CONTEXT_MAX, "all tags fit one buffer");

/* A request taken apart. */
struct request {
	struct attest_request header;
	const uint8_t *selector, *manifest;
	struct vtpm_manifest keys; /* what the manifest says */
};

/* What is hashed between nonce and manifest. */
struct tag {
	uint8_t data[SELECTOR_CONTEXT_MAX];
	size_t size;
};

static bool split(struct request *request, const uint8_t *payload, size_t size)
{
	struct bytes_reader r = bytes_reader_init(payload, size);

	bytes_copy(&r, &request->header, sizeof(request->header));
	request->selector = bytes_take(&r, request->header.selector_size);
	request->manifest = bytes_take(&r, request->header.manifest_size);
	return bytes_complete(&r) && !request->header.reserved;
}

/*
 * Only a manifest of the vTPM in the version that was asked for: it begins with the type of an RSA
 * or ECC key or with 00 00 00 01, and so cannot pass for a tag.
 */
static const char *manifest_error(struct request *request)
{
	const char *error = vtpm_manifest_read(&request->keys, request->manifest,
					       request->header.manifest_size);

	if (error)
		return error;
	return request->keys.version == request->header.manifest_version
		       ? NULL
		       : "it is of another version";
}

/* What calls 0 and 1 may return: version 0 is the one endorsement key, version 1 any list. */
static const char *unselected_error(const struct request *request)
{
	if (request->keys.version == 0 &&
	    !profile_key_fits(SVSM_KEY_EK_RSA2048, &request->keys.keys[0].info))
		return "its key is not an RSA endorsement key";
	return NULL;
}

static const char *tag_single(const struct request *request, struct tag *tag)
{
	static const struct abi_guid vtpm = SVSM_GUID_VTPM;
	struct selector selector;
	enum selector_result result = selector_parse(&selector, request->selector,
						     request->header.selector_size);

	if (result)
		return selector_result_text(result);
	tag->size = selector_context(tag->data, &vtpm, request->header.manifest_version,
				     request->selector, request->header.selector_size);
	return selector.kind == SVSM_SELECTOR_NONE
		       ? unselected_error(request)
		       : manifest_answer_error(&request->keys, &selector);
}

static const char *tag_services(const struct request *request, struct tag *tag)
{
	struct services_manifest all = services_manifest_of(request->header.manifest_size);

	if (request->header.selector_size || request->header.manifest_version)
		return "all services have no selector and no version";
	memcpy(tag->data, &all, sizeof(all));
	tag->size = sizeof(all);
	return unselected_error(request);
}

/* Of the profile's name only its size matters here: the authority looks at it. */
static const char *tag_ca(const struct request *request, struct tag *tag)
{
	struct svsm_attest_context context = {
		.tag = CA_CONTEXT_TAG,
		.service = SVSM_GUID_VTPM,
		.manifest_version = request->header.manifest_version,
		.selector_size = request->header.selector_size,
	};

	if (request->header.manifest_version != 1)
		return "an authority wants all keys";
	if (request->header.selector_size == 0 || request->header.selector_size >= PROFILE_NAME_MAX)
		return "there is no name of a profile";
	memcpy(tag->data, &context, sizeof(context));
	memcpy(tag->data + sizeof(context), request->selector, request->header.selector_size);
	tag->size = sizeof(context) + request->header.selector_size;
	return NULL;
}

static const char *make_tag(uint32_t op, const struct request *request, struct tag *tag)
{
	switch (op) {
	case ATTEST_OP_SINGLE:
		return tag_single(request, tag);
	case ATTEST_OP_SERVICES:
		return tag_services(request, tag);
	default:
		return tag_ca(request, tag);
	}
}

static enum service_status bind_manifest(uint32_t op, const uint8_t *payload, size_t size,
					 uint8_t report_data[PSP_REPORT_DATA_SIZE])
{
	static struct request request;
	static struct tag tag;
	const char *error = "its sizes contradict each other";

	if (split(&request, payload, size))
		error = manifest_error(&request);
	if (!error)
		error = make_tag(op, &request, &tag);
	if (error) {
		serve_logf("attest: no report over such a manifest: %s", error);
		return SERVICE_ERR_FORMAT;
	}
	return report_data_make(request.header.nonce, tag.data, tag.size, request.manifest,
				request.header.manifest_size, report_data)
		       ? SERVICE_OK
		       : SERVICE_ERR_FAILED;
}

static enum service_status bind_runtime(const uint8_t *payload, size_t size,
					struct binding *binding)
{
	const char *error = runtime_make(payload, size, binding->runtime, &binding->runtime_size);

	if (error) {
		serve_logf("attest: no report over such runtime data: %s", error);
		return SERVICE_ERR_FORMAT;
	}
	return report_data_of_runtime(binding->runtime, binding->runtime_size, binding->report_data)
		       ? SERVICE_OK
		       : SERVICE_ERR_FAILED;
}

enum service_status binding_make(uint32_t op, const uint8_t *payload, size_t size,
				 struct binding *binding)
{
	binding->runtime_size = 0;
	switch (op) {
	case ATTEST_OP_CA:
	case ATTEST_OP_SERVICES:
	case ATTEST_OP_SINGLE:
		return bind_manifest(op, payload, size, binding->report_data);
	case ATTEST_OP_RUNTIME_DATA:
		return bind_runtime(payload, size, binding);
	default:
		return SERVICE_ERR_UNSUPPORTED;
	}
}
