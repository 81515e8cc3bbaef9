/* SPDX-License-Identifier: MIT */
#include "services/attest/manifest.h"

#include <openssl/evp.h>

enum service_status manifest_all_services(struct serve_output *out, const struct abi_guid *service,
					  const uint8_t *data, size_t size)
{
	struct svsm_services_entry entry = {
		.service = *service,
		.offset = sizeof(struct svsm_services_header) + sizeof(entry),
		.size = (uint32_t)size,
	};
	struct svsm_services_header header = {
		.guid = SVSM_GUID_SERVICES,
		.size = (uint32_t)(sizeof(header) + sizeof(entry) + size),
		.count = 1,
	};
	enum service_status status = serve_append(out, &header, sizeof(header));

	if (status == SERVICE_OK)
		status = serve_append(out, &entry, sizeof(entry));
	if (status == SERVICE_OK)
		status = serve_append(out, data, size);
	return status;
}

bool manifest_report_data(const uint8_t nonce[SVSM_NONCE_SIZE], const uint8_t *manifest,
			  size_t size, uint8_t report_data[PSP_REPORT_DATA_SIZE])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool ok = context && EVP_DigestInit_ex(context, EVP_sha512(), NULL) == 1 &&
		  EVP_DigestUpdate(context, nonce, SVSM_NONCE_SIZE) == 1 &&
		  EVP_DigestUpdate(context, manifest, size) == 1 &&
		  EVP_DigestFinal_ex(context, report_data, NULL) == 1;

	EVP_MD_CTX_free(context);
	return ok;
}
