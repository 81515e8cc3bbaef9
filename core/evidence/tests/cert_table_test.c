/* SPDX-License-Identifier: MIT */
/* The host's certificate table: good ones, and every way that one can lie about its bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include "abi/psp.h"
#include "core/evidence/host/cert_table.h"

#define ENTRY sizeof(struct psp_cert_entry)

enum { VCEK, ASK, ARK, VLEK, KINDS };
/* In the order of their text: 63da758d-e664-4564-adc5-f4b93be8accd and so on. */
static const struct abi_guid guids[KINDS] = {
	[VCEK] = { { 0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b,
		     0xe8, 0xac, 0xcd } },
	[ASK] = { { 0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3,
		    0x27, 0xc7, 0x82 } },
	[ARK] = { { 0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01,
		    0x4c, 0xd0, 0xae } },
	[VLEK] = { { 0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45,
		     0xa0, 0xb8, 0xa1 } },
};

/* A certificate, which is all that a table has to know of one. */
static X509 *certificate;
static uint8_t der[2048];
static size_t der_size;

struct table {
	uint8_t data[8 * sizeof(der)];
	size_t size;
};

static struct psp_cert_entry *entry_of(struct table *t, size_t i)
{
	return (struct psp_cert_entry *)(void *)(t->data + i * ENTRY);
}

/* The certificate once for each kind, one behind the other. */
static struct table table_of(const int *kinds, size_t count)
{
	struct table t = { .size = (count + 1) * ENTRY };

	for (size_t i = 0; i < count; i++) {
		*entry_of(&t, i) = (struct psp_cert_entry){ .guid = guids[kinds[i]],
							    .offset = (uint32_t)t.size,
							    .length = (uint32_t)der_size };
		memcpy(t.data + t.size, der, der_size);
		t.size += der_size;
	}
	return t;
}

static struct table whole_table(void)
{
	static const int kinds[] = { VCEK, ASK, ARK };

	return table_of(kinds, 3);
}

/* Reads a heap copy of exactly this size, so that the sanitizer sees every byte too far. */
static const char *read_table(const struct table *t, size_t size, struct amd_chain *chain)
{
	uint8_t *copy = malloc(size ? size : 1);
	const char *error;

	assert_non_null(copy);
	memcpy(copy, t->data, size);
	error = cert_table_read(chain, REPORT_KEY_VCEK, copy, size);
	free(copy);
	if (error)
		assert_true(!chain->ark && !chain->issuer && !chain->signer);
	return error;
}

static void refused(const struct table *t, const char *words)
{
	struct amd_chain chain;
	const char *error = read_table(t, t->size, &chain);

	if (!error || !strstr(error, words))
		fail_msg("%s, not %s", error ? error : "accepted", words);
}

static void test_good(void **state)
{
	static const int some[] = { VLEK, ASK };
	struct table t = whole_table();
	struct amd_chain chain;

	(void)state;
	assert_null(read_table(&t, t.size, &chain));
	assert_int_equal(X509_cmp(chain.signer, certificate), 0);
	assert_true(chain.ark && chain.issuer);
	amd_chain_free(&chain);
	/* A page is often longer than its table. */
	assert_null(read_table(&t, t.size + 100, &chain));
	amd_chain_free(&chain);
	/* What is not there is NULL; what is of no use is passed over. */
	t = table_of(some, 2);
	t.data[entry_of(&t, 0)->offset] ^= 0xff;
	assert_null(read_table(&t, t.size, &chain));
	assert_true(chain.issuer && !chain.ark && !chain.signer);
	amd_chain_free(&chain);
	t = table_of(some, 0);
	assert_null(read_table(&t, t.size, &chain));
	assert_true(!chain.issuer && !chain.ark && !chain.signer);
}

static void test_cut(void **state)
{
	struct table t = whole_table();
	struct amd_chain chain;

	(void)state;
	for (size_t size = 0; size < t.size; size++)
		assert_non_null(read_table(&t, size, &chain));
}

static void test_ranges(void **state)
{
	static const int with_other[] = { VCEK, ASK, ARK, VLEK };
	struct table good = table_of(with_other, 4);
	uint32_t last = (uint32_t)(good.size - der_size), size = (uint32_t)der_size;
	const uint32_t wrong[][2] = {
		{ 0, size },	      { (uint32_t)(5 * ENTRY - 1), size },
		{ last + 1, size },   { last, size + 1 },
		{ last, 0 },	      { UINT32_MAX, 1 },
		{ UINT32_MAX, size }, { last, UINT32_MAX },
		{ 0, UINT32_MAX },    { UINT32_MAX, UINT32_MAX },
		{ last + size, 1 },   { 0, 0 },
	};

	(void)state;
	/* Of the last entry, which is one that nobody reads: all of the table has to be true. */
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct table t = good;

		entry_of(&t, 3)->offset = wrong[i][0];
		entry_of(&t, 3)->length = wrong[i][1];
		refused(&t, "no bytes of its own");
	}
}

static void test_overlaps(void **state)
{
	struct table good = whole_table(), t = good;

	(void)state;
	entry_of(&t, 1)->offset = entry_of(&t, 0)->offset;
	refused(&t, "overlap");
	t = good;
	entry_of(&t, 2)->offset -= 1;
	refused(&t, "overlap");
	t = good;
	entry_of(&t, 0)->length += 1;
	refused(&t, "overlap");
	t = good;
	entry_of(&t, 0)->length = (uint32_t)(3 * der_size);
	refused(&t, "overlap");
}

static void test_entries(void **state)
{
	static const int twice[] = { VCEK, ASK, ARK, ASK };
	struct table t = table_of(twice, 4);

	(void)state;
	refused(&t, "twice");
	t = whole_table();
	entry_of(&t, 1)->length -= 1; /* a certificate that is cut short */
	refused(&t, "cannot be read");
	t = whole_table();
	t.data[entry_of(&t, 2)->offset] ^= 0xff;
	refused(&t, "cannot be read");
	/* As many entries as bytes, and none that ends them. */
	memset(t.data, 0x11, sizeof(t.data));
	refused(&t, "too long");
	t.size = 3 * ENTRY;
	refused(&t, "no end");
}

/* Each changed byte of the entries may be refused, and nothing else may happen. */
static void test_bytes(void **state)
{
	struct table t = whole_table();
	struct amd_chain chain;

	(void)state;
	for (size_t i = 0; i < 4 * ENTRY; i++) {
		for (int bit = 0; bit < 8; bit++) {
			t.data[i] ^= (uint8_t)(1 << bit);
			if (!read_table(&t, t.size, &chain))
				amd_chain_free(&chain);
			t.data[i] ^= (uint8_t)(1 << bit);
		}
	}
}

static int make_certificate(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	uint8_t *to = der;
	int size;

	(void)state;
	certificate = X509_new();
	X509_set_pubkey(certificate, key);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	size = X509_sign(certificate, key, EVP_sha256()) > 0 ? i2d_X509(certificate, NULL) : 0;
	EVP_PKEY_free(key);
	if (size <= 0 || (size_t)size > sizeof(der))
		return -1;
	der_size = (size_t)i2d_X509(certificate, &to);
	return 0;
}

static int free_certificate(void **state)
{
	(void)state;
	X509_free(certificate);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	cmocka_unit_test(test_cut),
		cmocka_unit_test(test_ranges),	cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_entries), cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests_name("certificate table", tests, make_certificate,
					   free_certificate);
}
