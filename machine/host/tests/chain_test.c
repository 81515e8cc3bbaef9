/* SPDX-License-Identifier: MIT */
/* The emulated key chain: what it says, that it is kept, and that nothing broken is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine/host/chain.h"
#include "tests/lib/scratch_dir.h"

static const char *dir;

static void assert_names(const X509 *cert, const char *subject, const char *issuer)
{
	char text[128];

	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, text, sizeof(text));
	assert_string_equal(text, subject);
	X509_NAME_get_text_by_NID(X509_get_issuer_name(cert), NID_commonName, text, sizeof(text));
	assert_string_equal(text, issuer);
}

/* What other verifiers compare, attribute by attribute, and the one that says what it is. */
static void assert_place(const X509_NAME *name)
{
	static const struct {
		int nid;
		const char *value;
	} attributes[] = {
		{ NID_organizationalUnitName, "Engineering" },
		{ NID_countryName, "US" },
		{ NID_localityName, "Santa Clara" },
		{ NID_stateOrProvinceName, "CA" },
		{ NID_organizationName, "Advanced Micro Devices" },
		{ NID_serialNumber, "EMULATED" },
	};
	char text[128];

	assert_int_equal(X509_NAME_entry_count(name), 7);
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		X509_NAME_get_text_by_NID((X509_NAME *)name, attributes[i].nid, text, sizeof(text));
		assert_string_equal(text, attributes[i].value);
	}
}

/* RSASSA-PSS with SHA-384, MGF1 with SHA-384 and 48 bytes of salt, as 57230 says. */
static void assert_pss(X509 *cert, X509 *issuer)
{
	static const uint8_t params[] = {
		0x30, 0x34, 0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
		0x04, 0x02, 0x02, 0x05, 0x00, 0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48,
		0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
		0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0xa2, 0x03, 0x02, 0x01, 0x30,
	};
	const ASN1_STRING *sequence;
	const X509_ALGOR *algorithm;
	const ASN1_OBJECT *object;
	const void *value;
	int type;

	X509_get0_signature(NULL, &algorithm, cert);
	X509_ALGOR_get0(&object, &type, &value, algorithm);
	assert_int_equal(OBJ_obj2nid(object), NID_rsassaPss);
	assert_int_equal(type, V_ASN1_SEQUENCE);
	sequence = value;
	assert_int_equal(ASN1_STRING_length(sequence), sizeof(params));
	assert_memory_equal(ASN1_STRING_get0_data(sequence), params, sizeof(params));
	assert_int_equal(EVP_PKEY_bits(X509_get0_pubkey(issuer)), 4096);
	assert_int_equal(X509_verify(cert, X509_get0_pubkey(issuer)), 1);
}

static void assert_extension(const X509 *cert, const char *oid, const void *value, size_t size)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	int at = X509_get_ext_by_OBJ(cert, object, -1);
	const ASN1_OCTET_STRING *octets;

	ASN1_OBJECT_free(object);
	assert_true(at >= 0);
	octets = X509_EXTENSION_get_data(X509_get_ext(cert, at));
	assert_int_equal(ASN1_STRING_length(octets), size);
	assert_memory_equal(ASN1_STRING_get0_data(octets), value, size);
}

static bool has_mark(const X509 *cert)
{
	ASN1_OBJECT *mark = OBJ_txt2obj("1.3.6.1.4.1.32473.1", 1);
	int at = X509_get_ext_by_OBJ(cert, mark, -1);

	ASN1_OBJECT_free(mark);
	return at >= 0 && !X509_EXTENSION_get_critical(X509_get_ext(cert, at));
}

static void assert_emulated(const X509 *cert, bool authority)
{
	static const char crl[] = "\x30\x31\x30\x2f\xa0\x2d\xa0\x2b\x86\x29"
				  "https://kdsintf.amd.com/vcek/v1/Milan/crl";

	assert_place(X509_get_subject_name(cert));
	assert_place(X509_get_issuer_name(cert));
	assert_int_equal(has_mark(cert), authority);
	if (authority)
		assert_extension(cert, "2.5.29.31", crl, sizeof(crl) - 1);
}

static void test_content(void **state)
{
	struct host_error error;
	struct chain chain;

	(void)state;
	assert_true(chain_open(&chain, dir, &error));
	assert_names(chain.ark, "ARK-Milan", "ARK-Milan");
	assert_names(chain.ask, "SEV-Milan", "ARK-Milan");
	assert_names(chain.vcek, "SEV-VCEK", "SEV-Milan");
	assert_emulated(chain.ark, true);
	assert_emulated(chain.ask, true);
	assert_emulated(chain.vcek, false);
	assert_pss(chain.ark, chain.ark);
	assert_pss(chain.ask, chain.ark);
	assert_pss(chain.vcek, chain.ask);
	assert_int_equal(EVP_PKEY_bits(X509_get0_pubkey(chain.vcek)), 384);
	assert_extension(chain.vcek, "1.3.6.1.4.1.3704.1.1", "\x02\x01\x00", 3);
	assert_extension(chain.vcek, "1.3.6.1.4.1.3704.1.2", "\x16\x08Milan-B0", 10);
	assert_extension(chain.vcek, "1.3.6.1.4.1.3704.1.3.1", "\x02\x01\x04", 3);
	assert_extension(chain.vcek, "1.3.6.1.4.1.3704.1.3.2", "\x02\x01\x00", 3);
	assert_extension(chain.vcek, "1.3.6.1.4.1.3704.1.3.3", "\x02\x01\x18", 3);
	assert_extension(chain.vcek, "1.3.6.1.4.1.3704.1.3.8", "\x02\x02\x00\xdb", 4);
	assert_extension(chain.vcek, "1.3.6.1.4.1.3704.1.4", chain.chip_id, 64);
	assert_int_equal(chain_tcb_version(&chain), 0xdb18000000000004);
	chain_close(&chain);
}

static void test_kept(void **state)
{
	struct host_error error;
	struct chain one, two;
	char path[512];
	struct stat st;

	(void)state;
	assert_true(chain_open(&one, dir, &error));
	assert_true(chain_open(&two, dir, &error));
	assert_int_equal(X509_cmp(one.ark, two.ark), 0);
	assert_int_equal(X509_cmp(one.vcek, two.vcek), 0);
	assert_memory_equal(one.chip_id, two.chip_id, sizeof(one.chip_id));
	snprintf(path, sizeof(path), "%s/chain-2/vcek.key", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	chain_close(&one);
	chain_close(&two);
}

static void test_export(void **state)
{
	struct host_error error;
	struct chain chain;
	char path[512];
	X509 *cert;
	FILE *f;

	(void)state;
	assert_true(chain_open(&chain, dir, &error));
	snprintf(path, sizeof(path), "%s/out/certs", dir);
	assert_true(chain_export(&chain, path, &error));
	snprintf(path, sizeof(path), "%s/out/certs/vcek.pem", dir);
	f = fopen(path, "r");
	assert_non_null(f);
	cert = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	assert_non_null(cert);
	assert_int_equal(X509_cmp(cert, chain.vcek), 0);
	X509_free(cert);
	chain_close(&chain);
}

static void test_cert_table(void **state)
{
	/*
	 * GHCB specification, table of certificate GUIDs: the first bytes as they lie in memory, in
	 * the order of the text. Compared with a table that a Genoa host gave (veraison/services).
	 */
	static const uint8_t guids[3][8] = {
		{ 0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64 },
		{ 0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4 },
		{ 0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52 },
	};
	uint8_t table[16384], zero[24] = { 0 };
	struct host_error error;
	struct chain chain;
	X509 *certs[3];
	size_t size;

	(void)state;
	assert_true(chain_open(&chain, dir, &error));
	size = chain_cert_table(&chain, table, sizeof(table));
	assert_in_range(size, 3000, sizeof(table));
	certs[0] = chain.vcek;
	certs[1] = chain.ask;
	certs[2] = chain.ark;
	for (unsigned int i = 0; i < 3; i++) {
		struct psp_cert_entry entry;
		const uint8_t *der;
		X509 *cert;

		memcpy(&entry, table + 24 * i, sizeof(entry));
		assert_memory_equal(entry.guid.bytes, guids[i], 8);
		assert_true(entry.offset >= 96 && entry.offset + entry.length <= size);
		der = table + entry.offset;
		cert = d2i_X509(NULL, &der, entry.length);
		assert_non_null(cert);
		assert_int_equal(X509_cmp(cert, certs[i]), 0);
		X509_free(cert);
	}
	assert_memory_equal(table + 72, zero, sizeof(zero));
	assert_int_equal(chain_cert_table(&chain, table, size - 1), 0);
	assert_int_equal(chain_cert_table(&chain, table, 95), 0);
	assert_int_equal(chain_cert_table(&chain, table, size), size);
	chain_close(&chain);
}

static void copy_file(const char *from, const char *to)
{
	char data[8192];
	FILE *f = fopen(from, "r");
	size_t n;

	assert_non_null(f);
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	f = fopen(to, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	fclose(f);
}

/* Three processes at once make one chain, and leave nothing else. */
static void test_race(void **state)
{
	char place[512], other[512], mine[600], theirs[600];
	struct host_error error;
	struct chain chain;
	int status;

	(void)state;
	snprintf(place, sizeof(place), "%s/race", dir);
	for (unsigned int i = 0; i < 2; i++) {
		if (fork() == 0)
			_exit(chain_open(&chain, place, &error) ? 0 : 1);
	}
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_true(chain_open(&chain, place, &error));
	chain_close(&chain);
	snprintf(other, sizeof(other), "%s/race/chain-2", dir);
	assert_int_equal(stat(other, &(struct stat){ 0 }), 0);

	/* Another chain's certificate in it breaks it. */
	snprintf(mine, sizeof(mine), "%s/chain-2/ask.pem", dir);
	snprintf(theirs, sizeof(theirs), "%s/race/chain-2/ask.pem", dir);
	copy_file(mine, theirs);
	assert_false(chain_open(&chain, place, &error));
	assert_non_null(strstr(error.text, "does not hold a whole chain"));
	assert_int_equal(unlink(theirs), 0);
	assert_false(chain_open(&chain, place, &error));
	assert_null(chain.vcek_key);
}

static void test_no_folder(void **state)
{
	struct host_error error;
	struct chain chain;

	(void)state;
	assert_false(chain_open(&chain, "/proc/self/nothing/here", &error));
	assert_non_null(strstr(error.text, "cannot make folder"));
}

static int set_up(void **state)
{
	(void)state;
	dir = scratch_dir_make();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scratch_dir_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content), cmocka_unit_test(test_kept),
		cmocka_unit_test(test_export),	cmocka_unit_test(test_cert_table),
		cmocka_unit_test(test_race),	cmocka_unit_test(test_no_folder),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
