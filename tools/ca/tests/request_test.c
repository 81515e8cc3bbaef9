/* SPDX-License-Identifier: MIT */
/* Requests to the authority, taken apart, and the certificates that it builds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first. */
#include <cmocka.h>
#include <openssl/x509v3.h>

#include "core/evidence/host/ek_certificate.h"
#include "tools/ca/request.h"

struct wire {
	uint8_t data[512];
	size_t size;
};

static void put(struct wire *w, const void *data, size_t size)
{
	assert_true(size <= sizeof(w->data) - w->size);
	memcpy(w->data + w->size, data, size);
	w->size += size;
}

static struct wire request_of(uint32_t report, uint32_t manifest, uint32_t certificates)
{
	struct ca_request header = { report, manifest, certificates, 0 };
	struct wire w = { .size = 0 };

	put(&w, &header, sizeof(header));
	put(&w, "rrrmmccccc", 10);
	return w;
}

/* A heap copy of exactly this size, so that the sanitizer sees every byte too far. */
static const char *read_request(const struct wire *w, size_t size, struct ca_request_parts *parts)
{
	uint8_t *copy = malloc(size ? size : 1);
	const char *wrong;

	assert_non_null(copy);
	memcpy(copy, w->data, size);
	wrong = ca_request_read(parts, copy, size);
	if (!wrong) {
		assert_memory_equal(parts->report, "rrr", parts->report_size);
		assert_memory_equal(parts->manifest, "mm", parts->manifest_size);
		assert_memory_equal(parts->certificates, "ccccc", parts->certificates_size);
	}
	free(copy);
	return wrong;
}

static void test_request(void **state)
{
	struct ca_request_parts parts;
	struct wire w = request_of(3, 2, 5);

	(void)state;
	assert_null(read_request(&w, w.size, &parts));
	assert_int_equal(parts.report_size, 3);
	for (size_t size = 0; size < w.size; size++) {
		assert_non_null(read_request(&w, size, &parts));
		assert_int_equal(parts.report_size, 0);
	}
	assert_non_null(read_request(&w, w.size + 1, &parts));
}

static void test_request_sizes(void **state)
{
	static const uint32_t wrong[][3] = {
		{ 4, 2, 5 },	       { 3, 3, 5 },	      { 3, 2, 6 },	    { 0, 0, 0 },
		{ UINT32_MAX, 2, 5 },  { 3, UINT32_MAX, 5 },  { 3, 2, UINT32_MAX }, { 3, 2, 4 },
		{ 11, UINT32_MAX, 0 }, { UINT32_MAX, 11, 0 },
	};
	struct ca_request_parts parts;
	struct wire w;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		w = request_of(wrong[i][0], wrong[i][1], wrong[i][2]);
		assert_non_null(read_request(&w, w.size, &parts));
	}
	w = request_of(3, 2, 5);
	w.data[12] = 1; /* reserved */
	assert_non_null(read_request(&w, w.size, &parts));
}

static void test_profile(void **state)
{
	static const char *const bad[] = {
		"", "Tcg", "tcg ", "t\ng", "../tcg", "t\xc3\xa9", "a234567890123456789012345678901x"
	};
	char name[CA_PROFILE_NAME_MAX];

	(void)state;
	assert_null(ca_request_profile(name, "tcg-2", 5));
	assert_string_equal(name, "tcg-2");
	assert_null(ca_request_profile(name, "a23456789012345678901234567890x", 31));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_non_null(ca_request_profile(name, bad[i], strlen(bad[i])));
		assert_string_equal(name, "");
	}
	assert_non_null(ca_request_profile(name, "tc\0g", 4));
}

struct authority {
	EVP_PKEY *key, *leaf_key;
	X509 *root;
};

static struct authority authority_of(long days, EVP_PKEY *leaf_key)
{
	struct authority a = { .key = EVP_EC_gen("P-384"), .leaf_key = leaf_key };

	a.root = ca_certificate_root(a.key, "Test CA", days);
	assert_non_null(a.root);
	assert_non_null(a.leaf_key);
	return a;
}

static void free_authority(struct authority *a)
{
	X509_free(a->root);
	EVP_PKEY_free(a->key);
	EVP_PKEY_free(a->leaf_key);
}

static X509 *issue(const struct authority *a, enum ca_key_role role, uint64_t serial, long days)
{
	struct ca_certificate_request request = {
		.role = role,
		.key = a->leaf_key,
		.tpm = { "id:49424D00", "Socle vTPM", "id:20191023" },
		.serial = serial,
		.days = days,
	};

	return ca_certificate_issue(&request, a->root, a->key);
}

/*
 * With a subject of its own, and the TPM's name in an alternative name that is not critical: what
 * RFC 5280, 4.2.1.6, and the TCG EK Credential Profile 2.5, 3.2.9, have verifiers expect.
 */
static void check_names(X509 *leaf, const char *subject)
{
	char *text = X509_NAME_oneline(X509_get_subject_name(leaf), NULL, 0);
	int at = X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1);

	assert_string_equal(text, subject);
	assert_true(at >= 0);
	assert_int_equal(X509_EXTENSION_get_critical(X509_get_ext(leaf, at)), 0);
	OPENSSL_free(text);
}

static void check_leaf(const struct authority *a, enum ca_key_role role, uint32_t usage)
{
	X509 *leaf = issue(a, role, UINT64_MAX, 30);
	STACK_OF(X509) *ca = sk_X509_new_null();
	uint64_t serial;

	assert_non_null(leaf);
	sk_X509_push(ca, a->root);
	assert_int_equal(X509_verify(leaf, a->key), 1);
	assert_int_equal(X509_get_version(leaf), X509_VERSION_3);
	assert_int_equal(X509_get_key_usage(leaf), usage);
	assert_int_equal(X509_check_ca(leaf), 0);
	check_names(leaf, role == CA_KEY_EK ? "/CN=Socle vTPM EK/serialNumber=ffffffffffffffff"
					    : "/CN=Socle vTPM AK/serialNumber=ffffffffffffffff");
	assert_int_equal(ASN1_INTEGER_get_uint64(&serial, X509_get0_serialNumber(leaf)), 1);
	assert_true(serial == UINT64_MAX);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(leaf), a->leaf_key), 1);
	/* What `socle verify` would say of it as an EK's. */
	if (role == CA_KEY_EK)
		assert_null(ek_certificate_error(leaf, ca, time(NULL)));
	else
		assert_non_null(ek_certificate_error(leaf, ca, time(NULL)));
	sk_X509_free(ca);
	X509_free(leaf);
}

static void test_leaves(void **state)
{
	struct authority ecc = authority_of(60, EVP_EC_gen("P-256"));
	struct authority rsa = authority_of(60, EVP_RSA_gen(2048));

	(void)state;
	check_leaf(&ecc, CA_KEY_EK, KU_KEY_AGREEMENT);
	check_leaf(&rsa, CA_KEY_EK, KU_KEY_ENCIPHERMENT);
	check_leaf(&ecc, CA_KEY_AK, KU_DIGITAL_SIGNATURE);
	check_leaf(&rsa, CA_KEY_AK, KU_DIGITAL_SIGNATURE);
	free_authority(&ecc);
	free_authority(&rsa);
}

/* A certificate never outlives its issuer. */
static void test_dates(void **state)
{
	struct authority a = authority_of(10, EVP_EC_gen("P-256"));
	X509 *shorter = issue(&a, CA_KEY_EK, 1, 5), *longer = issue(&a, CA_KEY_EK, 2, 5000);

	(void)state;
	assert_true(ASN1_TIME_compare(X509_get0_notAfter(shorter), X509_get0_notAfter(a.root)) < 0);
	assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(longer), X509_get0_notAfter(a.root)),
			 0);
	assert_true(X509_cmp_current_time(X509_get0_notBefore(shorter)) < 0);
	X509_free(shorter);
	X509_free(longer);
	free_authority(&a);
}

static void test_other_keys(void **state)
{
	EVP_PKEY *ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct authority a = authority_of(10, ed25519);

	(void)state;
	assert_null(issue(&a, CA_KEY_AK, 1, 5));
	free_authority(&a);
}

static void test_texts(void **state)
{
	static const char *const bad_ids[] = {
		"", "id:", "id:1234567", "id:123456789", "ID:12345678", "id:1234567g", "id:1234 678"
	};
	char longest[CA_TEXT_MAX + 2];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[CA_TEXT_MAX] = '\0';
	assert_true(ca_certificate_text_ok(longest));
	longest[CA_TEXT_MAX] = 'x';
	longest[CA_TEXT_MAX + 1] = '\0';
	assert_false(ca_certificate_text_ok(longest));
	assert_false(ca_certificate_text_ok(""));
	assert_false(ca_certificate_text_ok("a\nb"));
	assert_false(ca_certificate_text_ok("\xc3\xa9"));
	assert_true(ca_certificate_id_ok("id:49424D00"));
	for (size_t i = 0; i < sizeof(bad_ids) / sizeof(bad_ids[0]); i++)
		assert_false(ca_certificate_id_ok(bad_ids[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request), cmocka_unit_test(test_request_sizes),
		cmocka_unit_test(test_profile), cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_dates),	cmocka_unit_test(test_other_keys),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
