/* SPDX-License-Identifier: MIT */
#include "core/evidence/vtpm_manifest.h"

#include "core/tpm/wire.h"

uint32_t vtpm_manifest_version(const void *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);

	return size >= 2 && bytes_be16(&r) == 0 ? 1 : 0;
}

const char *vtpm_manifest_read_key(struct vtpm_manifest_key *key, const void *data, size_t size)
{
	enum selector_result result = selector_template_check(&key->info, data, size);

	if (result >= SELECTOR_TEMPLATE_TYPE && result <= SELECTOR_TEMPLATE_TRAILING)
		return "it is not a TPMT_PUBLIC of an RSA or ECC key";
	if (result)
		return selector_result_text(result);
	/* A finished key is a public area of itself as a template. */
	if (!selector_public_matches(data, size, data, size))
		return "a key is not whole";
	key->data = data;
	key->size = size;
	return NULL;
}

static const char *add_key(struct vtpm_manifest *m, const uint8_t *data, size_t size)
{
	const char *error = vtpm_manifest_read_key(&m->keys[m->count], data, size);

	if (!error)
		m->count++;
	return error;
}

static const char *read_list(struct vtpm_manifest *m, struct bytes_reader *r)
{
	uint32_t version = bytes_be32(r), count = bytes_be32(r);
	const char *error = NULL;

	if (r->bad || version != 1)
		return "its version is unknown";
	if (count == 0 || count > VTPM_MANIFEST_KEYS_MAX)
		return "it has no key, or too many";
	for (uint32_t i = 0; i < count && !error; i++) {
		size_t size;
		const uint8_t *data = wire_take_sized(r, &size);

		error = data ? add_key(m, data, size) : "it is cut short";
	}
	if (!error && !bytes_complete(r))
		return "bytes follow its last key";
	return error;
}

const char *vtpm_manifest_read(struct vtpm_manifest *manifest, const void *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);

	*manifest = (struct vtpm_manifest){ .version = vtpm_manifest_version(data, size) };
	if (size == 0)
		return "it is empty";
	return manifest->version == 0 ? add_key(manifest, data, size) : read_list(manifest, &r);
}
