/* SPDX-License-Identifier: MIT */
#include "services/vtpm/evidence.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/tpm.h"
#include "core/base/bytes.h"
#include "core/tpm/selector.h"
#include "services/vtpm/report.h"

#define MODULUS_MAX 512u
#define RUNTIME_MAX 1024u

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

static bool base64url(const uint8_t *data, size_t size, char *text)
{
	int length = EVP_EncodeBlock((unsigned char *)text, data, (int)size);

	for (char *c = text; *c; c++) {
		if (*c == '+')
			*c = '-';
		else if (*c == '/')
			*c = '_';
		else if (*c == '=')
			*c = '\0';
	}
	return length > 0;
}

/* The part of the documented runtime data that holds here and that its readers look at. */
static bool make_runtime(const struct cache_entry *key, char runtime[RUNTIME_MAX], size_t *size)
{
	char modulus[4 * ((MODULUS_MAX + 2) / 3) + 1];
	struct selector_template info;
	int length;

	if (!key || selector_template_check(&info, key->public_area, key->public_size) ||
	    info.type != TPM_ALG_RSA || info.unique_size > MODULUS_MAX ||
	    !base64url(key->public_area + info.unique_offset + 2, info.unique_size, modulus))
		return false;
	length = snprintf(
		runtime, RUNTIME_MAX,
		"{\"keys\":[{\"kid\":\"HCLAkPub\",\"key_ops\":[\"sign\"],\"kty\":\"RSA\","
		"\"e\":\"AQAB\",\"n\":\"%s\"}],\"vm-configuration\":{\"tpm-enabled\":true},"
		"\"user-data\":\"%0128d\"}",
		modulus, 0);
	*size = (size_t)length;
	return length > 0 && length < (int)RUNTIME_MAX;
}

static bool assemble(const struct report *report, const char *runtime, size_t runtime_size,
		     struct serve_output *out)
{
	struct hcl_runtime_header data = {
		.size = (uint32_t)(sizeof(data) + runtime_size),
		.version = HCL_VERSION,
		.report_type = HCL_REPORT_SNP,
		.hash_type = HCL_HASH_SHA256,
		.data_size = (uint32_t)runtime_size,
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

bool evidence_make(const struct cache_entry *key, uint8_t *data, size_t capacity, size_t *size)
{
	struct serve_output out = { .data = data, .capacity = capacity };
	struct report *report = malloc(sizeof(*report));
	char runtime[RUNTIME_MAX];
	size_t runtime_size;
	bool ok = report && make_runtime(key, runtime, &runtime_size) &&
		  report_get(report, ATTEST_OP_RUNTIME_DATA, runtime, runtime_size) &&
		  assemble(report, runtime, runtime_size, &out);

	free(report);
	*size = out.size;
	return ok;
}
