/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "core/image/firmware.h"
#include "tools/igvm/igvm.h"

#define SHA256_SIZE 32u

static bool is_params(const struct igvm_directive *d, struct socle_params *params)
{
	if (!d->data || d->page_type != PSP_PAGE_TYPE_NORMAL)
		return false;
	memcpy(params, d->data, sizeof(*params));
	return params->magic == SOCLE_PARAMS_MAGIC && params->version == SOCLE_PARAMS_VERSION &&
	       params->size == sizeof(*params) && params->ram_count <= SOCLE_PARAMS_RAM_MAX &&
	       params->loaded_count <= SOCLE_PARAMS_LOADED_MAX &&
	       params->firmware.size <= FIRMWARE_SIZE_MAX;
}

bool igvm_params(const struct igvm_file *file, struct socle_params *params)
{
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;

	while (igvm_next(file, &cursor, &d)) {
		if (is_params(&d, params))
			return true;
	}
	return false;
}

/* In whatever order the file has its pages. */
static void gather(const struct igvm_file *file, const struct socle_range *range, uint8_t *bytes)
{
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;

	while (igvm_next(file, &cursor, &d)) {
		uint64_t at = igvm_directive_gpa(&d) - range->gpa;

		if (d.type == IGVM_TYPE_PAGE_DATA && d.page_type == PSP_PAGE_TYPE_NORMAL &&
		    d.data && at < range->size && d.size <= range->size - at)
			memcpy(bytes + at, d.data, d.size);
	}
}

bool igvm_firmware(const struct igvm_file *file, const struct socle_params *params,
		   char hash[IGVM_FIRMWARE_HASH])
{
	uint8_t digest[SHA256_SIZE], *bytes = calloc(1, params->firmware.size + 1);
	bool ok = bytes != NULL;

	if (ok) {
		gather(file, &params->firmware, bytes);
		ok = EVP_Digest(bytes, params->firmware.size, digest, NULL, EVP_sha256(), NULL) ==
		     1;
	}
	if (ok)
		hex_write(hash, digest, sizeof(digest));
	free(bytes);
	return ok;
}
