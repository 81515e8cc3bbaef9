/* SPDX-License-Identifier: MIT */
#include "services/vtpm/evidence.h"

#include <stdlib.h>

#include "abi/tpm.h"
#include "core/base/bytes.h"
#include "core/tpm/wire.h"
#include "services/vtpm/report.h"
#include "services/vtpm/tpm_command.h"

/* Numbers of Microsoft's OpenHCL, openhcl/openhcl_attestation_protocol. Little-endian. */
#define HCL_SIGNATURE 0x414c4348u /* "HCLA" */
#define HCL_VERSION 1u
#define HCL_REQUEST_AK_CERT 2u
#define HCL_REPORT_SNP 2u
#define HCL_HASH_SHA256 1u

struct hcl_header {
	uint32_t signature, version;
	uint32_t report_size; /* of what follows the header */
	uint32_t request_type;
	uint32_t status;
	uint32_t reserved[3];
};
_Static_assert(sizeof(struct hcl_header) == 32, "offset of the report");

struct hcl_runtime_header {
	uint32_t size; /* of this and what follows */
	uint32_t version;
	uint32_t report_type, hash_type;
	uint32_t data_size;
};
_Static_assert(sizeof(struct hcl_runtime_header) == 20, "offset of the runtime data");

/* The runtime data comes back beside the report (abi/service.h, ATTEST_OP_RUNTIME_DATA). */
static bool assemble(const struct report *report, struct serve_output *out)
{
	const uint8_t *runtime = report->certificates;
	uint32_t runtime_size = report->certificates_size;
	struct hcl_runtime_header data = {
		.size = (uint32_t)sizeof(data) + runtime_size,
		.version = HCL_VERSION,
		.report_type = HCL_REPORT_SNP,
		.hash_type = HCL_HASH_SHA256,
		.data_size = runtime_size,
	};
	struct hcl_header header = {
		.signature = HCL_SIGNATURE,
		.version = HCL_VERSION,
		.report_size = report->report_size + data.size,
		.request_type = HCL_REQUEST_AK_CERT,
	};

	return serve_append(out, &header, sizeof(header)) == SERVICE_OK &&
	       serve_append(out, report->report, report->report_size) == SERVICE_OK &&
	       serve_append(out, &data, sizeof(data)) == SERVICE_OK &&
	       serve_append(out, runtime, runtime_size) == SERVICE_OK;
}

#define REQUEST_MAX (sizeof(struct attest_runtime) + TPM_PUBLIC_MAX)

/* What the attest service makes runtime data of. */
static bool put_request(const struct cache_entry *key, const struct attest_runtime *about,
			struct serve_output *out)
{
	return key && serve_append(out, about, sizeof(*about)) == SERVICE_OK &&
	       serve_append(out, key->public_area, key->public_size) == SERVICE_OK;
}

bool evidence_make(const struct cache_entry *key, uint8_t *data, size_t capacity, size_t *size)
{
	static const struct attest_runtime nobody_asked = { 0 };
	struct serve_output out = { .data = data, .capacity = capacity };
	struct report *report = malloc(sizeof(*report));
	uint8_t request[REQUEST_MAX];
	struct serve_output asked = { .data = request, .capacity = sizeof(request) };
	bool ok = report && put_request(key, &nobody_asked, &asked) &&
		  report_get(report, ATTEST_OP_RUNTIME_DATA, request, asked.size) &&
		  assemble(report, &out);

	free(report);
	*size = out.size;
	return ok;
}

/* The NV object whose evidence a guest can have made anew, or NULL. */
static const struct profile_nv *find_renewed(const struct vtpm *vtpm)
{
	for (size_t i = 0; i < vtpm->profile->nv_count; i++) {
		if (vtpm->profile->nv[i].user_data)
			return &vtpm->profile->nv[i];
	}
	return NULL;
}

/* Not what was written: a session may have encrypted it. */
bool evidence_is_asked(const struct vtpm *vtpm, const uint8_t *command, size_t size,
		       const uint8_t *response, size_t response_size)
{
	const struct profile_nv *nv = find_renewed(vtpm);
	struct bytes_reader r = bytes_reader_init(command, size);

	if (!nv || wire_take_header(&r) != TPM_CC_NV_WRITE)
		return false;
	bytes_be32(&r); /* who authorizes */
	return bytes_be32(&r) == nv->user_data && !r.bad &&
	       tpm_response_code(response, response_size) == TPM_RC_SUCCESS;
}

/*
 * By the owner, as it is written on Azure, or as anybody could. What is short has zeros behind it.
 */
static uint32_t read_user_data(uint32_t index, uint8_t data[ATTEST_USER_DATA_SIZE])
{
	size_t size = 0;
	uint32_t rc = tpm_nv_size(index, &size);

	if (rc)
		return rc;
	if (size > ATTEST_USER_DATA_SIZE)
		size = ATTEST_USER_DATA_SIZE;
	rc = tpm_nv_read_by_owner(index, data, size);
	return rc ? tpm_nv_read(index, data, size) : rc;
}

enum service_status evidence_of(struct vtpm *vtpm, size_t size, struct serve_output *out)
{
	const struct profile_nv *nv = find_renewed(vtpm);
	struct attest_runtime about = { 0 };
	struct tpm_checkpoint checkpoint;
	uint32_t rc;

	if (size)
		return SERVICE_ERR_FORMAT;
	if (!nv)
		return SERVICE_ERR_UNSUPPORTED;
	if (!tpm_checkpoint(&checkpoint))
		return SERVICE_ERR_FAILED;
	rc = read_user_data(nv->user_data, about.user_data);
	vtpm_roll_back(&checkpoint);
	if (rc) {
		serve_logf("vtpm: NV index 0x%08x cannot be read: TPM response code 0x%x",
			   nv->user_data, rc);
		return SERVICE_ERR_FAILED;
	}
	return put_request(vtpm_profile_key(vtpm, nv->key), &about, out) ? SERVICE_OK
									 : SERVICE_ERR_FAILED;
}

enum service_status evidence_take(struct vtpm *vtpm, const uint8_t *payload, size_t size)
{
	const struct tpm_auth auth = { vtpm->evidence_auth, sizeof(vtpm->evidence_auth) };
	const struct profile_nv *nv = find_renewed(vtpm);
	uint8_t data[PROFILE_NV_SIZE_MAX];
	struct serve_output out = { .data = data, .capacity = sizeof(data) };
	struct report report;
	uint32_t rc;

	if (!nv)
		return SERVICE_ERR_UNSUPPORTED;
	if (!report_take(&report, payload, size) || !assemble(&report, &out))
		return SERVICE_ERR_FORMAT;
	rc = tpm_nv_write_as(nv->index, auth, data, out.size);
	if (rc)
		serve_logf("vtpm: NV index 0x%08x cannot be written: TPM response code 0x%x",
			   nv->index, rc);
	return rc ? SERVICE_ERR_FAILED : SERVICE_OK;
}
