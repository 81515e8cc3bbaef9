/* SPDX-License-Identifier: MIT */
#include "services/vtpm/manifest.h"

#include "core/tpm/wire.h"

/* Version 1 is big-endian, as TPM structures are: version, count, then TPM2B_PUBLIC each. */
static enum service_status put_header(struct serve_output *out, size_t count)
{
	uint8_t bytes[8];
	struct bytes_writer w = bytes_writer_init(bytes, sizeof(bytes));

	bytes_put_be32(&w, 1);
	bytes_put_be32(&w, (uint32_t)count);
	return serve_append(out, bytes, w.size);
}

static enum service_status put_sized(struct serve_output *out, const struct cache_entry *key)
{
	struct bytes_writer w = bytes_writer_init(out->data + out->size, out->capacity - out->size);

	wire_put_sized(&w, key->public_area, key->public_size);
	out->size += w.size;
	return w.bad ? SERVICE_ERR_NO_MEMORY : SERVICE_OK;
}

enum service_status manifest_of_key(uint32_t version, const struct cache_entry *key,
				    struct serve_output *out)
{
	enum service_status status;

	if (version == 0)
		return serve_append(out, key->public_area, key->public_size);
	if (version != 1)
		return SERVICE_ERR_UNSUPPORTED;
	status = put_header(out, 1);
	return status == SERVICE_OK ? put_sized(out, key) : status;
}

static enum service_status first_manifest(struct vtpm *vtpm, struct serve_output *out)
{
	for (size_t i = 0; i < vtpm->profile->key_count; i++) {
		const struct cache_entry *key;

		if (vtpm->profile->keys[i].id != SVSM_KEY_EK_RSA2048)
			continue;
		key = vtpm_profile_key(vtpm, i);
		return key ? manifest_of_key(0, key, out) : SERVICE_ERR_FAILED;
	}
	return SERVICE_ERR_UNSUPPORTED;
}

enum service_status manifest_of_profile(struct vtpm *vtpm, uint32_t version,
					struct serve_output *out)
{
	enum service_status status;

	if (version == 0)
		return first_manifest(vtpm, out);
	if (version != 1)
		return SERVICE_ERR_UNSUPPORTED;
	status = put_header(out, vtpm->profile->key_count);
	for (size_t i = 0; i < vtpm->profile->key_count && status == SERVICE_OK; i++) {
		const struct cache_entry *key = vtpm_profile_key(vtpm, i);

		status = key ? put_sized(out, key) : SERVICE_ERR_FAILED;
	}
	return status;
}
