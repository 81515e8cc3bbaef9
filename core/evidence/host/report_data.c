/* SPDX-License-Identifier: MIT */
#include "core/evidence/host/report_data.h"

#include <openssl/evp.h>
#include <string.h>

bool report_data_make(const uint8_t nonce[SVSM_NONCE_SIZE], const void *context,
		      size_t context_size, const void *manifest, size_t manifest_size,
		      uint8_t report_data[PSP_REPORT_DATA_SIZE])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha512(), NULL) == 1 &&
		  EVP_DigestUpdate(md, nonce, SVSM_NONCE_SIZE) == 1 &&
		  EVP_DigestUpdate(md, context, context_size) == 1 &&
		  EVP_DigestUpdate(md, manifest, manifest_size) == 1 &&
		  EVP_DigestFinal_ex(md, report_data, NULL) == 1;

	EVP_MD_CTX_free(md);
	return ok;
}

bool report_data_of_runtime(const void *data, size_t size,
			    uint8_t report_data[PSP_REPORT_DATA_SIZE])
{
	memset(report_data, 0, PSP_REPORT_DATA_SIZE);
	return EVP_Digest(data, size, report_data, NULL, EVP_sha256(), NULL) == 1;
}
