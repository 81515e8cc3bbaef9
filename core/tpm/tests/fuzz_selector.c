/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a selector, and as a manifest: whatever is accepted keeps to the rules, told apart
 * here by the plain offsets of TPMT_PUBLIC. With libFuzzer as it is; selector_test.c feeds it
 * mutated templates.
 */
#include "core/tpm/tests/fuzz_selector.h"
#include "core/base/tests/fuzz_hold.h"

#include <string.h>

#include "core/evidence/vtpm_manifest.h"
#include "core/tpm/selector.h"

static uint32_t be(const uint8_t *at, size_t size)
{
	uint32_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | at[i];
	return value;
}

/* type 0, nameAlg 2, objectAttributes 4, authPolicy 8. */
static void hold_template(const uint8_t *template, size_t size)
{
	uint32_t attributes = be(template + 4, 4);
	struct selector_template info;

	hold(size >= 10 && size <= SELECTOR_TEMPLATE_MAX, "size");
	hold(be(template, 2) == 1 || be(template, 2) == 0x23, "type");
	hold(be(template + 2, 2) >= 0x0b && be(template + 2, 2) <= 0x0d, "name algorithm");
	hold((attributes & 0x10032u) == 0x10032u, "an attribute that must be set is clear");
	hold(!(attributes & ~0x704f6u), "an attribute that must be clear is set");
	hold(!(attributes & 0x20000u) != !(attributes & 0x40000u), "purpose");
	hold(selector_template_check(&info, template, size) == SELECTOR_OK, "two opinions");
	hold(info.signing == !!(attributes & 0x40000u), "signing");
	hold(info.unique_offset < size, "unique");
	/* A TPM fills unique: an empty one is no finished key. */
	hold(info.unique_size > 0 || !selector_public_matches(template, size, template, size),
	     "a template taken for a key");
}

/* Every key that is accepted lies in the bytes, behind the last one, and is whole. */
static void hold_manifest(const uint8_t *data, size_t size)
{
	static struct vtpm_manifest manifest;
	const uint8_t *at = data;

	if (vtpm_manifest_read(&manifest, data, size))
		return;
	hold(manifest.count > 0 && manifest.count <= VTPM_MANIFEST_KEYS_MAX, "key count");
	hold(manifest.version == 1 || manifest.count == 1, "version");
	for (size_t i = 0; i < manifest.count; i++) {
		const struct vtpm_manifest_key *key = &manifest.keys[i];

		hold(key->data >= at && key->size <= size - (size_t)(key->data - data),
		     "key bytes");
		hold_template(key->data, key->size);
		hold(key->info.unique_size > 0, "a template in a manifest");
		at = key->data + key->size;
	}
	hold(at == data + size, "bytes after the last key");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct abi_guid service = SVSM_GUID_VTPM;
	static uint8_t context[SELECTOR_CONTEXT_MAX];
	enum selector_result result;
	struct selector selector;
	size_t context_size;

	hold_manifest(data, size);
	result = selector_parse(&selector, data, size);
	hold(result < SELECTOR_RESULTS && selector_result_name(result), "unknown result");
	context_size = selector_context(context, &service, 1, data, size);
	if (result)
		return 0;
	hold(size <= SVSM_SELECTOR_MAX, "long selector");
	if (selector.kind == SVSM_SELECTOR_NONE)
		hold(context_size == 0, "context without a selector");
	else
		hold(context_size == sizeof(struct svsm_attest_context) + size, "context size");
	if (selector.kind == SVSM_SELECTOR_TEMPLATE)
		hold_template(selector.template, selector.template_size);
	if (selector.kind == SVSM_SELECTOR_NV)
		hold(selector.id >> 24 == 1, "NV index");
	return 0;
}
