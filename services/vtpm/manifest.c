/* SPDX-License-Identifier: MIT */
#include "services/vtpm/manifest.h"

#include "core/tpm/selector.h"
#include "core/tpm/wire.h"
#include "services/vtpm/awaited.h"

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
		key = awaited_key(vtpm, i);
		return key ? manifest_of_key(0, key, out) : SERVICE_ERR_FAILED;
	}
	return SERVICE_ERR_UNSUPPORTED;
}

/* Those of the profile's keys, in its order, that are to be in; all: also those left for later. */
static enum service_status put_keys(struct vtpm *vtpm, bool all, struct serve_output *out)
{
	enum service_status status = SERVICE_OK;

	for (size_t i = 0; i < vtpm->profile->key_count && status == SERVICE_OK; i++) {
		const struct cache_entry *key;

		if (!all && vtpm->awaited[i])
			continue;
		key = awaited_key(vtpm, i);
		status = key ? put_sized(out, key) : SERVICE_ERR_FAILED;
	}
	return status;
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
	return status == SERVICE_OK ? put_keys(vtpm, true, out) : status;
}

enum service_status manifest_of_first_keys(struct vtpm *vtpm, struct serve_output *out)
{
	enum service_status status;
	size_t count = 0;

	for (size_t i = 0; i < vtpm->profile->key_count; i++)
		count += !vtpm->awaited[i];
	status = put_header(out, count);
	return status == SERVICE_OK ? put_keys(vtpm, false, out) : status;
}

/* A public area is its template with a whole unique field: a size before each of its numbers. */
static size_t public_size(const struct vtpm_template *t)
{
	struct selector_template info;

	if (selector_template_check(&info, t->data, t->size))
		return 0;
	return info.unique_offset + (info.type == TPM_ALG_RSA
					     ? 2u + info.bits / 8u
					     : 2 * (2 + wire_curve_size(info.curve)));
}

size_t manifest_size(const struct vtpm *vtpm)
{
	size_t size = 8;

	for (size_t i = 0; i < vtpm->profile->key_count; i++)
		size += 2 + public_size(&vtpm->templates[i]);
	return size;
}
