/* SPDX-License-Identifier: MIT */
/*
 * Certificates for all keys of a manifest, or for none: also where one cannot be encoded or noted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first. */
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "tools/ca/certificate.h"
#include "tools/ca/issue.h"

#define KEYS 2u

struct world {
	struct ca_authority ca;
	struct ca_policy policy;
	struct vtpm_manifest manifest;
	uint8_t areas[KEYS][TPM_PUBLIC_AREA_MAX];
};

/* What goes wrong: at that call, from 1. */
static unsigned int encodings, encoding_fails, records, record_fails;

int __wrap_i2d_X509(const X509 *certificate, unsigned char **out);
int __real_i2d_X509(const X509 *certificate, unsigned char **out);
int __wrap_i2d_X509(const X509 *certificate, unsigned char **out)
{
	return ++encodings == encoding_fails ? -1 : __real_i2d_X509(certificate, out);
}

bool ca_authority_take_serial(const struct ca_authority *ca, uint64_t *serial,
			      struct host_error *error)
{
	(void)ca;
	(void)error;
	*serial = 100 + records;
	return true;
}

bool ca_authority_record(const struct ca_authority *ca, uint64_t serial, X509 *certificate,
			 struct host_error *error)
{
	(void)ca;
	(void)serial;
	assert_non_null(certificate);
	return ++records == record_fails ? host_fail(error, "the disk is full") : true;
}

/* An attestation key of P-256 as a TPM would give it: TPM 2.0 Library part 2, TPMT_PUBLIC. */
static void make_key(struct vtpm_manifest_key *key, uint8_t area[TPM_PUBLIC_AREA_MAX])
{
	static const uint8_t form[] = {
		0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x00, 0x72, 0x00, 0x00,
		0x00, 0x10, 0x00, 0x18, 0x00, 0x0b, 0x00, 0x03, 0x00, 0x10
	};
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	uint8_t point[65];
	size_t size;

	assert_non_null(pair);
	assert_int_equal(EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_PUB_KEY, point,
							 sizeof(point), &size),
			 1);
	assert_int_equal(size, sizeof(point));
	EVP_PKEY_free(pair);
	memcpy(area, form, sizeof(form));
	for (size_t i = 0; i < 2; i++) {
		uint8_t *at = area + sizeof(form) + 34 * i;

		at[0] = 0;
		at[1] = 32;
		memcpy(at + 2, point + 1 + 32 * i, 32);
	}
	assert_null(vtpm_manifest_read_key(key, area, sizeof(form) + 68));
}

static void build(struct world *w)
{
	*w = (struct world){
		.ca.key = EVP_EC_gen("P-384"),
		.policy = { .tpm = { "id:49424D00", "Socle vTPM", "id:20191023" }, .days = 10 },
		.manifest = { .version = 1, .count = KEYS },
	};
	w->ca.certificate = ca_certificate_root(w->ca.key, "A test's CA", 10);
	assert_non_null(w->ca.certificate);
	for (size_t i = 0; i < KEYS; i++)
		make_key(&w->manifest.keys[i], w->areas[i]);
	encodings = encoding_fails = records = record_fails = 0;
}

static void take_down(struct world *w)
{
	EVP_PKEY_free(w->ca.key);
	X509_free(w->ca.certificate);
}

static void issues_for_every_key(void **state)
{
	struct host_error error;
	struct ca_issued issued;
	struct world w;

	(void)state;
	build(&w);
	assert_true(ca_issue(&w.ca, &w.policy, &w.manifest, &issued, &error));
	assert_int_equal(issued.count, KEYS);
	for (size_t i = 0; i < KEYS; i++) {
		const uint8_t *der = issued.certificates[i].data;
		X509 *certificate = d2i_X509(NULL, &der, (long)issued.certificates[i].size);

		assert_non_null(certificate);
		assert_ptr_equal(der, issued.certificates[i].data + issued.certificates[i].size);
		assert_int_equal(X509_verify(certificate, w.ca.key), 1);
		assert_int_equal(issued.serials[i], 100 + i);
		assert_int_equal(issued.roles[i], CA_KEY_AK);
		X509_free(certificate);
	}
	ca_issued_free(&issued);
	take_down(&w);
}

/* With nothing left that could be sent, and nothing to free. */
static void gives_none(struct world *w, const char *reason)
{
	struct host_error error = { "" };
	struct ca_issued issued;

	assert_false(ca_issue(&w->ca, &w->policy, &w->manifest, &issued, &error));
	assert_string_equal(error.text, reason);
	assert_int_equal(issued.count, 0);
	for (size_t i = 0; i < CA_ISSUED_MAX; i++)
		assert_null(issued.certificates[i].data);
	take_down(w);
}

/* OpenSSL is asked for the size of each first, then for the bytes. */
static void gives_none_when_one_cannot_be_encoded(void **state)
{
	struct world w;

	(void)state;
	for (unsigned int call = 1; call <= 2 * KEYS; call++) {
		build(&w);
		encoding_fails = call;
		gives_none(&w, "issue: it cannot be encoded");
		assert_int_equal(encodings, call);
	}
}

static void gives_none_when_one_cannot_be_noted(void **state)
{
	struct world w;

	(void)state;
	for (unsigned int call = 1; call <= KEYS; call++) {
		build(&w);
		record_fails = call;
		gives_none(&w, "the disk is full");
		assert_int_equal(encodings, 2 * (call - 1));
	}
}

/* Before the first certificate is made: the last key's point is not on its curve. */
static void looks_at_all_keys_first(void **state)
{
	struct world w;

	(void)state;
	build(&w);
	w.areas[KEYS - 1][w.manifest.keys[KEYS - 1].size - 1] ^= 1;
	gives_none(&w, "manifest: key 1 is no valid public key");
	assert_int_equal(records, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(issues_for_every_key),
		cmocka_unit_test(gives_none_when_one_cannot_be_encoded),
		cmocka_unit_test(gives_none_when_one_cannot_be_noted),
		cmocka_unit_test(looks_at_all_keys_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
