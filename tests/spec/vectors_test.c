/* SPDX-License-Identifier: MIT */
/*
 * The test vectors of docs/spec/vectors against the code that the services and `socle verify` use.
 *
 *	vectors_test DIRECTORY
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/host/report_data.h"
#include "core/host/tpm_public.h"
#include "core/host/tpm_quote.h"
#include "core/selector.h"
#include "core/vtpm_manifest.h"

static const char *directory;

/* Exactly as many bytes as the vector has, so that the sanitizer sees every step too far. */
struct blob {
	uint8_t *data;
	size_t size;
};

static const char *text_of(const json_t *vector, const char *name)
{
	const char *text = json_string_value(json_object_get(vector, name));

	if (!text)
		fail_msg("a vector has no %s", name);
	return text;
}

static struct blob from_hex(const char *hex)
{
	struct blob b = { .size = strlen(hex) / 2 };

	assert_int_equal(strlen(hex) % 2, 0);
	b.data = malloc(b.size ? b.size : 1);
	for (size_t i = 0; i < b.size; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		b.data[i] = (uint8_t)byte;
	}
	return b;
}

static struct blob blob_of(const json_t *vector, const char *name)
{
	return from_hex(text_of(vector, name));
}

static void equal(const json_t *vector, const char *name, const void *data, size_t size)
{
	struct blob expected = blob_of(vector, name);

	if (expected.size != size || (size && memcmp(expected.data, data, size) != 0))
		fail_msg("%s: another %s", text_of(vector, "name"), name);
	free(expected.data);
}

/* The vectors of a file; json_decref(root) ends their life. */
static json_t *load(const char *name, json_t **root)
{
	char path[4096];
	json_t *list;

	snprintf(path, sizeof(path), "%s/%s.json", directory, name);
	*root = json_load_file(path, 0, NULL);
	list = json_object_get(*root, name);
	if (json_array_size(list) == 0)
		fail_msg("%s has no vectors", path);
	return list;
}

static void check_selector(const json_t *vector)
{
	struct blob b = blob_of(vector, "selector");
	const char *expected = text_of(vector, "expected");
	enum selector_result result;
	struct selector s;

	result = selector_parse(&s, b.data, b.size);
	if (strcmp(selector_result_name(result), expected) != 0)
		fail_msg("%s: %s, not %s", text_of(vector, "name"), selector_result_name(result),
			 expected);
	assert_int_equal(s.kind, json_integer_value(json_object_get(vector, "kind")));
	assert_int_equal(s.id, json_integer_value(json_object_get(vector, "id")));
	if (s.kind == SVSM_SELECTOR_TEMPLATE) {
		assert_int_equal(s.template_size, b.size - SELECTOR_HEADER_SIZE);
		assert_ptr_equal(s.template, b.data + SELECTOR_HEADER_SIZE);
	}
	free(b.data);
}

static void selectors(void **state)
{
	json_t *root, *list = load("selectors", &root), *vector;
	bool seen[SELECTOR_RESULTS] = { false };
	size_t i;

	(void)state;
	json_array_foreach(list, i, vector)
	{
		check_selector(vector);
		for (int r = 0; r < SELECTOR_RESULTS; r++)
			seen[r] |= strcmp(selector_result_name((enum selector_result)r),
					  text_of(vector, "expected")) == 0;
	}
	for (int r = 0; r < SELECTOR_RESULTS; r++) {
		if (!seen[r])
			fail_msg("no vector is %s", selector_result_name((enum selector_result)r));
	}
	json_decref(root);
}

static void check_manifest(const json_t *vector)
{
	struct blob b = blob_of(vector, "manifest");
	bool accepted = strcmp(text_of(vector, "expected"), "accept") == 0;
	struct vtpm_manifest manifest;
	const char *error = vtpm_manifest_read(&manifest, b.data, b.size);

	if (accepted != !error)
		fail_msg("%s: %s", text_of(vector, "name"), error ? error : "accepted");
	assert_int_equal(manifest.version, json_integer_value(json_object_get(vector, "version")));
	if (accepted)
		assert_int_equal(manifest.count,
				 json_integer_value(json_object_get(vector, "keys")));
	free(b.data);
}

static void manifests(void **state)
{
	json_t *root, *list = load("manifests", &root), *vector;
	size_t i;

	(void)state;
	json_array_foreach(list, i, vector) check_manifest(vector);
	json_decref(root);
}

static void check_key(const json_t *vector, const struct vtpm_manifest_key *key)
{
	struct blob template = blob_of(vector, "template");
	struct tpm_name name, qualified;

	equal(vector, "public", key->data, key->size);
	assert_true(tpm_public_name(key->data, key->size, &name));
	equal(vector, "tpm_name", name.bytes, name.size);
	assert_true(tpm_public_primary_name(TPM_RH_ENDORSEMENT, &name, &qualified));
	equal(vector, "qualified_name", qualified.bytes, qualified.size);
	assert_true(selector_public_matches(template.data, template.size, key->data, key->size));
	free(template.data);
}

static void check_manifest_keys(const json_t *vector, const struct blob *manifest, uint32_t version,
				struct vtpm_manifest *read)
{
	json_t *keys = json_object_get(vector, "keys"), *key;
	size_t i;

	assert_null(vtpm_manifest_read(read, manifest->data, manifest->size));
	assert_int_equal(read->version, version);
	assert_int_equal(read->count, json_array_size(keys));
	json_array_foreach(keys, i, key) check_key(key, &read->keys[i]);
}

/* The bytes that are hashed follow from the request alone. */
static void check_report_data(const json_t *vector, const struct blob *manifest, uint32_t version)
{
	static const struct abi_guid service = SVSM_GUID_VTPM;
	struct blob nonce = blob_of(vector, "nonce"), selector = { NULL, 0 };
	uint8_t context[SELECTOR_CONTEXT_MAX], digest[PSP_REPORT_DATA_SIZE];
	size_t size;

	if (!json_is_null(json_object_get(vector, "selector")))
		selector = blob_of(vector, "selector");
	equal(json_object_get(vector, "service_guid"), "bytes", &service, sizeof(service));
	size = selector_context(context, &service, version, selector.data, selector.size);
	equal(vector, "context", context, size);
	assert_int_equal(nonce.size, SVSM_NONCE_SIZE);
	assert_true(report_data_make(nonce.data, context, size, manifest->data, manifest->size,
				     digest));
	equal(vector, "report_data", digest, sizeof(digest));
	free(nonce.data);
	free(selector.data);
}

static const struct vtpm_manifest_key *signer_of(const struct vtpm_manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++) {
		if (manifest->keys[i].info.signing)
			return &manifest->keys[i];
	}
	return NULL;
}

static void check_quote(const json_t *vector, const struct vtpm_manifest *manifest)
{
	const json_t *quote = json_object_get(vector, "quote");
	const struct vtpm_manifest_key *key = signer_of(manifest);
	struct blob message, signature;
	struct tpm_name name, qualified;
	struct tpm_public area;
	struct tpm_quote read;
	EVP_PKEY *pkey;

	assert_int_equal(!!quote, !!key);
	if (!quote)
		return;
	message = blob_of(quote, "message");
	signature = blob_of(quote, "signature");
	assert_true(tpm_public_read(&area, key->data, key->size));
	pkey = tpm_public_key(&area);
	assert_non_null(pkey);
	assert_true(tpm_quote_signature_ok(pkey, area.scheme, area.scheme_hash, message.data,
					   message.size, signature.data, signature.size));
	signature.data[signature.size - 1] ^= 1;
	assert_false(tpm_quote_signature_ok(pkey, area.scheme, area.scheme_hash, message.data,
					    message.size, signature.data, signature.size));
	assert_null(tpm_quote_read(&read, message.data, message.size));
	equal(vector, "nonce", read.extra_data, read.extra_size);
	assert_true(tpm_public_name(key->data, key->size, &name) &&
		    tpm_public_primary_name(TPM_RH_ENDORSEMENT, &name, &qualified));
	assert_true(tpm_name_equal(&qualified, &read.signer));
	EVP_PKEY_free(pkey);
	free(message.data);
	free(signature.data);
}

static void check_attestation(const json_t *vector)
{
	uint32_t version =
		(uint32_t)json_integer_value(json_object_get(vector, "manifest_version"));
	struct blob manifest = blob_of(vector, "manifest");
	struct vtpm_manifest read;

	check_manifest_keys(vector, &manifest, version, &read);
	check_report_data(vector, &manifest, version);
	check_quote(vector, &read);
	free(manifest.data);
}

static void attestations(void **state)
{
	json_t *root, *list = load("attestations", &root), *vector;
	size_t i;

	(void)state;
	json_array_foreach(list, i, vector) check_attestation(vector);
	json_decref(root);
}

/* The name of the vector whose request this one repeats, or its own. */
static const char *meaning(const json_t *vector)
{
	const char *same = json_string_value(json_object_get(vector, "same_report_data_as"));

	return same ? same : text_of(vector, "name");
}

/* With one nonce for all, two have the same REPORT_DATA only where they ask for the same. */
static void different_requests(void **state)
{
	json_t *root, *list = load("attestations", &root), *a, *b;
	size_t i, k;

	(void)state;
	json_array_foreach(list, i, a)
	{
		json_array_foreach(list, k, b)
		{
			bool same = strcmp(meaning(a), meaning(b)) == 0;

			assert_string_equal(text_of(a, "nonce"), text_of(b, "nonce"));
			if (same !=
			    (strcmp(text_of(a, "report_data"), text_of(b, "report_data")) == 0))
				fail_msg("%s and %s", text_of(a, "name"), text_of(b, "name"));
		}
	}
	json_decref(root);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selectors),
		cmocka_unit_test(manifests),
		cmocka_unit_test(attestations),
		cmocka_unit_test(different_requests),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: vectors_test DIRECTORY\n");
		return 2;
	}
	directory = argv[1];
	return cmocka_run_group_tests_name("test vectors", tests, NULL, NULL);
}
