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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/base/hex.h"
#include "core/evidence/host/report_data.h"
#include "core/evidence/vtpm_manifest.h"
#include "core/tpm/host/tpm_public.h"
#include "core/tpm/host/tpm_quote.h"
#include "core/tpm/selector.h"
#include "tools/cmd.h"
#include "tools/verify/folder.h"

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

/* The results of the call, by their names in section 4. */
static const struct {
	const char *name;
	uint32_t value;
} result_names[] = {
	{ "SVSM_SUCCESS", SVSM_SUCCESS },
	{ "SVSM_ERR_INCOMPLETE", SVSM_ERR_INCOMPLETE },
	{ "SVSM_ERR_INVALID_ADDRESS", SVSM_ERR_INVALID_ADDRESS },
	{ "SVSM_ERR_INVALID_PARAMETER", SVSM_ERR_INVALID_PARAMETER },
	{ "SVSM_ERR_SERVICE_FAILED", SVSM_ERR_SERVICE_FAILED },
	{ "SVSM_ERR_SERVICE_BUSY", SVSM_ERR_SERVICE_BUSY },
	{ "SVSM_ERR_ATTEST_SELECTOR", SVSM_ERR_ATTEST_SELECTOR },
	{ "SVSM_ERR_ATTEST_TPM", SVSM_ERR_ATTEST_TPM },
};
#define RESULT_NAMES (sizeof(result_names) / sizeof(result_names[0]))

static uint32_t number_of(const json_t *vector, const char *name)
{
	return (uint32_t)strtoul(text_of(vector, name), NULL, 16);
}

static void results(void **state)
{
	json_t *root, *list = load("results", &root), *vector;
	bool seen[RESULT_NAMES] = { false };
	size_t i;

	(void)state;
	json_array_foreach(list, i, vector)
	{
		uint32_t code = (uint32_t)json_integer_value(json_object_get(vector, "tpm_rc"));
		size_t k = 0;

		while (k < RESULT_NAMES &&
		       strcmp(result_names[k].name, text_of(vector, "name")) != 0)
			k++;
		assert_true(k < RESULT_NAMES);
		assert_true(number_of(vector, "rax") == result_names[k].value + code);
		seen[k] = true;
	}
	for (size_t k = 0; k < RESULT_NAMES; k++)
		assert_true(seen[k]);
	json_decref(root);
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
	assert_true(number_of(vector, "result") ==
		    (result == SELECTOR_OK ? SVSM_SUCCESS : SVSM_ERR_ATTEST_SELECTOR));
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
	struct wire_public area;
	struct tpm_quote read;
	EVP_PKEY *pkey;

	assert_int_equal(!!quote, !!key);
	if (!quote)
		return;
	message = blob_of(quote, "message");
	signature = blob_of(quote, "signature");
	assert_true(wire_read_public(&area, key->data, key->size) == WIRE_OK);
	pkey = tpm_public_key(&area);
	assert_non_null(pkey);
	assert_true(tpm_quote_signature_ok(pkey, area.scheme, area.scheme_hash, message.data,
					   message.size, signature.data, signature.size));
	signature.data[signature.size - 1] ^= 1;
	assert_false(tpm_quote_signature_ok(pkey, area.scheme, area.scheme_hash, message.data,
					    message.size, signature.data, signature.size));
	assert_null(tpm_quote_read(&read, message.data, message.size));
	equal(vector, "nonce", read.attest.extra, read.attest.extra_size);
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

/*
 * ---- Verdicts: the guest's folder and one's own, in the hands of what `socle verify` is made of
 * ----
 */

enum cmd_status cmd_file_error(const char *file, const char *format, ...)
{
	fail_msg("%s: %s", file, format);
	return CMD_MISUSE;
}

bool cmd_read_file(const char *path, size_t max, struct file_bytes *bytes)
{
	struct host_error error;

	if (!file_read(path, max, bytes, &error))
		fail_msg("%s: %s", path, error.text);
	return true;
}

bool cmd_read_input(const char *path, size_t max, struct file_bytes *bytes)
{
	return cmd_read_file(path, max, bytes);
}

static void write_file(const char *folder, const char *name, const void *data, size_t size)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void write_files(const json_t *names, const json_t *files, const char *folder)
{
	const char *name;
	json_t *key;

	json_object_foreach((json_t *)names, name, key)
	{
		struct blob b = blob_of(files, json_string_value(key));

		write_file(folder, name, b.data, b.size);
		free(b.data);
	}
}

static void write_evidence(const json_t *vector, const json_t *files,
			   const struct folder_paths *paths)
{
	const json_t *challenge = json_object_get(vector, "challenge");
	char *text;

	write_files(json_object_get(vector, "files"), files, paths->directory);
	write_files(json_object_get(vector, "mine"), files, paths->mine);
	if (!challenge)
		return;
	text = json_dumps(challenge, 0);
	write_file(paths->mine, "challenge.json", text, strlen(text));
	free(text);
}

static void remove_files(const json_t *names, const char *folder)
{
	const char *name;
	char path[256];
	json_t *key;

	json_object_foreach((json_t *)names, name, key)
	{
		snprintf(path, sizeof(path), "%s/%s", folder, name);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/challenge.json", folder);
	unlink(path);
}

static enum folder_depth depth_of(const json_t *vector)
{
	const char *depth = text_of(vector, "depth");

	return strcmp(depth, "report") == 0 ? FOLDER_REPORT
	       : strcmp(depth, "keys") == 0 ? FOLDER_KEYS
					    : FOLDER_QUOTE;
}

static struct socle_policy *policy_of(const json_t *vector)
{
	static const char *const depths[] = { "report", "keys", "quote" };
	json_t *json = json_pack("{s:i, s:s, s:{s:b}, s:{s:s}}", "format", 1, "look_at",
				 depths[depth_of(vector)], "allow", "emulated",
				 json_is_true(json_object_get(vector, "trust_emulated")),
				 "measurements", "expected", text_of(vector, "measurement"));
	char *text = json_dumps(json, 0), error[SOCLE_ERROR_SIZE] = "";
	struct socle_policy *policy = socle_policy_read(text, strlen(text), error);

	if (!policy)
		fail_msg("%s", error);
	free(text);
	json_decref(json);
	return policy;
}

static void equal_names(const char *vector, const char *const *names, size_t count,
			const json_t *expected)
{
	bool same = json_array_size(expected) == count;

	for (size_t i = 0; same && i < count; i++)
		same = strcmp(names[i], json_string_value(json_array_get(expected, i))) == 0;
	if (!same)
		fail_msg("%s: %zu checks or bindings, not those expected: %s", vector, count,
			 count ? names[0] : "none");
}

#define CHECKS_MAX 64

static void check_judgement(const json_t *vector, const struct socle_verdict *verdict)
{
	const json_t *expected = json_object_get(vector, "expected");
	const char *name = text_of(vector, "name"), *names[CHECKS_MAX], *check, *error;
	enum socle_status status = socle_verdict_status(verdict);
	size_t count = 0;

	for (size_t i = 0; (check = socle_verdict_check(verdict, i, NULL, &error, NULL)); i++) {
		if (error)
			names[count++] = check;
	}
	equal_names(name, names, count, json_object_get(expected, "failing"));
	for (count = 0; socle_verdict_binding(verdict, count); count++)
		names[count] = socle_verdict_binding(verdict, count);
	equal_names(name, names, count, json_object_get(expected, "bindings"));
	assert_int_equal(status, json_integer_value(json_object_get(expected, "status")));
	assert_string_equal(text_of(expected, "verdict"),
			    status == SOCLE_TRUSTED ? "trusted" : "refused");
}

static void check_verdict(const json_t *vector, const json_t *files, const char *folder,
			  const char *mine)
{
	bool certified = json_object_get(json_object_get(vector, "files"), "ek.crt");
	char certificate[128], ca[128];
	struct folder_paths paths = { .directory = folder, .mine = mine };
	struct socle_policy *policy = policy_of(vector);
	char error[SOCLE_ERROR_SIZE] = "";
	struct socle_evidence *evidence;
	struct socle_verdict *verdict;

	snprintf(certificate, sizeof(certificate), "%s/ek.crt", folder);
	snprintf(ca, sizeof(ca), "%s/ca.crt", mine);
	if (certified) {
		paths.ek_certificate = certificate;
		paths.ca = ca;
	}
	write_evidence(vector, files, &paths);
	evidence = folder_load(&paths, depth_of(vector));
	assert_non_null(evidence);
	verdict = socle_verify(evidence, policy, error);
	if (!verdict)
		fail_msg("%s", error);
	check_judgement(vector, verdict);
	socle_verdict_free(verdict);
	socle_evidence_free(evidence);
	socle_policy_free(policy);
	remove_files(json_object_get(vector, "files"), folder);
	remove_files(json_object_get(vector, "mine"), mine);
}

static void verdicts(void **state)
{
	json_t *root, *list = load("verdicts", &root), *vector;
	/* Where the test is run. */
	char folder[] = "vectors-test-XXXXXX", mine[] = "vectors-mine-XXXXXX";
	size_t i;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_non_null(mkdtemp(mine));
	json_array_foreach(list, i, vector)
		check_verdict(vector, json_object_get(root, "files"), folder, mine);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(rmdir(mine), 0);
	json_decref(root);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results),
		cmocka_unit_test(selectors),
		cmocka_unit_test(manifests),
		cmocka_unit_test(attestations),
		cmocka_unit_test(different_requests),
		cmocka_unit_test(verdicts),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: vectors_test DIRECTORY\n");
		return 2;
	}
	directory = argv[1];
	return cmocka_run_group_tests_name("test vectors", tests, NULL, NULL);
}
