/* SPDX-License-Identifier: MIT */
/*
 * Quotes by a key that is made once more, against a real TPM (libtpms), judged by the code that
 * `socle verify` judges with; and against a TPM that sends nonsense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>

#include "abi/tpm.h"
#include "core/tpm/host/tpm_public.h"
#include "core/tpm/host/tpm_quote.h"
#include "guest/agent/file.h"
#include "guest/agent/quote.h"
#include "guest/agent/tests/fake_tpm.h"
#include "tests/lib/scratch_dir.h"

#define NV_INDEX 0x01800010u
#define UNIQUE_OFFSET_ECC 20u /* in the template of an ECC key without a policy */

struct fixture {
	const char *folder;
	struct fake_tpm tpm;
	struct quote_wish wish;
	struct tpm_blob attested; /* public area of the key that the manifest has */
	struct problem problem;
};

/* GCE's and the TCG profile's attestation keys: unique is empty. */
static const uint8_t ak_ecc[] = { 0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x00, 0x72,
				  0x00, 0x00, 0x00, 0x10, 0x00, 0x18, 0x00, 0x0b,
				  0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00 };
static const uint8_t ak_rsa[] = { 0x00, 0x01, 0x00, 0x0b, 0x00, 0x05, 0x00, 0x72,
				  0x00, 0x00, 0x00, 0x10, 0x00, 0x14, 0x00, 0x0b,
				  0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 };
/* A storage key, which decrypts. */
static const uint8_t ek_ecc[] = { 0x00, 0x23, 0x00, 0x0b, 0x00, 0x03, 0x00, 0x72, 0x00,
				  0x00, 0x00, 0x06, 0x00, 0x80, 0x00, 0x43, 0x00, 0x10,
				  0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00 };

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->folder = scratch_dir_make();
	f->tpm = fake_tpm_start();
	memset(f->wish.nonce, 'N', sizeof(f->wish.nonce));
	f->wish.pcrs = (struct tpm_selection){ .bank = TPM_ALG_SHA256, .mask = QUOTE_PCRS };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fake_tpm_stop(&f->tpm);
	scratch_dir_remove();
	free(f);
	return 0;
}

static void put(const struct fixture *f, const char *name, const void *data, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	assert_int_equal(file_write(path, data, size), 0);
}

static size_t get(const struct fixture *f, const char *name, void *data, size_t capacity)
{
	char path[128];
	ssize_t size;

	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	size = file_read(path, data, capacity);
	assert_true(size > 0);
	return (size_t)size;
}

/* The manifest of a key that this TPM makes of the template. */
static void attest(struct fixture *f, const void *template, size_t size)
{
	uint32_t handle;

	assert_true(
		tpm_create_primary(f->tpm.fd, template, size, &handle, &f->attested, &f->problem));
	assert_true(tpm_flush(f->tpm.fd, handle, &f->problem));
	put(f, "manifest.bin", f->attested.data, f->attested.size);
}

static bool quote(struct fixture *f)
{
	bool ok = quote_to(f->tpm.fd, &f->wish, f->folder, &f->problem);

	if (!ok)
		print_message("%s\n", f->problem.text);
	return ok;
}

/* What the relying party does with the three files. */
static void assert_quote_good(struct fixture *f, size_t pcrs)
{
	static uint8_t message[4096], signature[4096], values_file[4096];
	size_t size = get(f, "quote.msg", message, sizeof(message));
	size_t signature_size = get(f, "quote.sig", signature, sizeof(signature));
	size_t values_size = get(f, "quote.pcrs", values_file, sizeof(values_file));
	static struct tpm_pcr_values values;
	struct wire_public public_area;
	struct tpm_quote read;
	EVP_PKEY *key;

	assert_true(wire_read_public(&public_area, f->attested.data, f->attested.size) == WIRE_OK);
	key = tpm_public_key(&public_area);
	assert_non_null(key);
	assert_true(tpm_quote_signature_ok(key, public_area.scheme, TPM_ALG_SHA256, message, size,
					   signature, signature_size));
	message[size - 1] ^= 1;
	assert_false(tpm_quote_signature_ok(key, public_area.scheme, TPM_ALG_SHA256, message, size,
					    signature, signature_size));
	message[size - 1] ^= 1;
	EVP_PKEY_free(key);
	assert_null(tpm_quote_read(&read, message, size));
	assert_int_equal(read.attest.extra_size, sizeof(f->wish.nonce));
	assert_memory_equal(read.attest.extra, f->wish.nonce, read.attest.extra_size);
	assert_null(tpm_quote_read_values(&values, values_file, values_size));
	assert_int_equal(values.count, pcrs);
	assert_null(tpm_quote_values_error(&read, &values, TPM_ALG_SHA256));
}

/* Three keys fit into the TPM: nothing of the quote is left in it. */
static void assert_slots_free(struct fixture *f)
{
	struct tpm_blob public_area;
	uint32_t handles[3];

	for (int i = 0; i < 3; i++)
		assert_true(tpm_create_primary(f->tpm.fd, ak_ecc, sizeof(ak_ecc), &handles[i],
					       &public_area, &f->problem));
	for (int i = 0; i < 3; i++)
		assert_true(tpm_flush(f->tpm.fd, handles[i], &f->problem));
}

static void test_ecc(void **state)
{
	struct fixture *f = *state;

	attest(f, ak_ecc, sizeof(ak_ecc));
	assert_true(quote(f));
	assert_quote_good(f, 15);
	assert_slots_free(f);
}

static void test_rsa(void **state)
{
	struct fixture *f = *state;
	uint8_t signature[512];

	attest(f, ak_rsa, sizeof(ak_rsa));
	f->wish.key = SVSM_KEY_AK_RSA2048;
	assert_true(quote(f));
	assert_quote_good(f, 15);
	assert_int_equal(get(f, "quote.sig", signature, sizeof(signature)), 256);
}

static void test_all_pcrs(void **state)
{
	struct fixture *f = *state;

	f->wish.pcrs.mask = 0xffffff;
	attest(f, ak_ecc, sizeof(ak_ecc));
	assert_true(quote(f));
	assert_quote_good(f, 24);
}

static size_t template_with_unique(uint8_t template[128], uint8_t filler)
{
	memcpy(template, ak_ecc, UNIQUE_OFFSET_ECC);
	memset(template + UNIQUE_OFFSET_ECC, filler, 68);
	template[UNIQUE_OFFSET_ECC] = template[UNIQUE_OFFSET_ECC + 34] = 0;
	template[UNIQUE_OFFSET_ECC + 1] = template[UNIQUE_OFFSET_ECC + 35] = 32;
	return UNIQUE_OFFSET_ECC + 68;
}

static void test_zero_unique(void **state)
{
	struct fixture *f = *state;
	uint8_t template[128];

	attest(f, template, template_with_unique(template, 0));
	assert_true(quote(f));
	assert_quote_good(f, 15);
	assert_slots_free(f);
}

/* A random unique field cannot be guessed: the template has to come from somewhere. */
static void test_given_template(void **state)
{
	struct fixture *f = *state;
	uint8_t template[128];
	size_t size = template_with_unique(template, 0x5a);

	attest(f, template, size);
	assert_false(quote(f));
	assert_string_equal(f->problem.text,
			    "the template makes another key than manifest.bin has");
	f->wish.template = template;
	f->wish.template_size = size;
	assert_true(quote(f));
	assert_quote_good(f, 15);
	assert_slots_free(f);
}

static size_t put_be(uint8_t *to, uint32_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
	return size;
}

static size_t put_password(uint8_t *to)
{
	static const uint8_t area[] = { 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0 };

	memcpy(to, area, sizeof(area));
	return sizeof(area);
}

static void run(struct fixture *f, uint8_t *command, size_t size)
{
	uint8_t response[4096];

	put_be(command + 2, (uint32_t)size, 4);
	assert_int_equal(write(f->tpm.fd, command, size), size);
	assert_true(read(f->tpm.fd, response, sizeof(response)) >= 10);
	assert_memory_equal(response + 6, "\0\0\0\0", 4);
}

/* TPM2_NV_DefineSpace and TPM2_NV_Write by the owner; AUTHREAD, OWNERWRITE, NO_DA. */
static void store_nv(struct fixture *f, const uint8_t *data, uint16_t data_size)
{
	uint8_t c[1024];
	size_t n;

	n = put_be(c, 0x8002, 2) + 4;
	n += put_be(c + n, 0x12a, 4);
	n += put_be(c + n, 0x40000001, 4);
	n += put_password(c + n);
	n += put_be(c + n, 0, 2);
	n += put_be(c + n, 14, 2);
	n += put_be(c + n, NV_INDEX, 4);
	n += put_be(c + n, TPM_ALG_SHA256, 2);
	n += put_be(c + n, 0x02040002, 4);
	n += put_be(c + n, 0, 2);
	n += put_be(c + n, data_size, 2);
	run(f, c, n);
	n = put_be(c, 0x8002, 2) + 4;
	n += put_be(c + n, 0x137, 4);
	n += put_be(c + n, 0x40000001, 4);
	n += put_be(c + n, NV_INDEX, 4);
	n += put_password(c + n);
	n += put_be(c + n, data_size, 2);
	memcpy(c + n, data, data_size);
	n += data_size;
	n += put_be(c + n, 0, 2);
	run(f, c, n);
}

static void test_nv_template(void **state)
{
	struct fixture *f = *state;
	uint8_t template[128];
	size_t size = template_with_unique(template, 0xa5);

	store_nv(f, template, (uint16_t)size);
	attest(f, template, size);
	f->wish.nv = NV_INDEX;
	assert_true(quote(f));
	assert_quote_good(f, 15);
	f->wish.nv = NV_INDEX + 1;
	assert_false(quote(f));
	assert_string_equal(f->problem.text, "TPM2_NV_ReadPublic: TPM error 0x18b");
}

/* More than one NV_Read. */
static void test_long_nv(void **state)
{
	struct fixture *f = *state;
	struct tpm_blob content;
	uint8_t data[700];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	store_nv(f, data, sizeof(data));
	assert_true(tpm_read_nv(f->tpm.fd, NV_INDEX, &content, &f->problem));
	assert_int_equal(content.size, sizeof(data));
	assert_memory_equal(content.data, data, sizeof(data));
}

static void test_no_signing_key(void **state)
{
	struct fixture *f = *state;

	attest(f, ek_ecc, sizeof(ek_ecc));
	assert_false(quote(f));
	assert_string_equal(f->problem.text, "manifest.bin: it attests no such signing key");
}

static void test_other_kind_of_key(void **state)
{
	struct fixture *f = *state;

	attest(f, ak_ecc, sizeof(ak_ecc));
	f->wish.key = SVSM_KEY_AK_RSA2048;
	assert_false(quote(f));
	assert_string_equal(f->problem.text, "manifest.bin: it attests no such signing key");
}

/* A list of two keys, of which the second one signs. */
static void test_manifest_version_1(void **state)
{
	struct fixture *f = *state;
	uint8_t list[1024];
	size_t n = put_be(list, 1, 4);

	n += put_be(list + n, 2, 4);
	attest(f, ek_ecc, sizeof(ek_ecc));
	n += put_be(list + n, (uint32_t)f->attested.size, 2);
	memcpy(list + n, f->attested.data, f->attested.size);
	n += f->attested.size;
	attest(f, ak_ecc, sizeof(ak_ecc));
	n += put_be(list + n, (uint32_t)f->attested.size, 2);
	memcpy(list + n, f->attested.data, f->attested.size);
	n += f->attested.size;
	put(f, "manifest.bin", list, n);
	assert_true(quote(f));
	assert_quote_good(f, 15);
	put(f, "manifest.bin", list, n - 1);
	assert_false(quote(f));
	assert_string_equal(f->problem.text, "manifest.bin: it is cut short");
}

static void test_bank_not_there(void **state)
{
	struct fixture *f = *state;

	attest(f, ak_ecc, sizeof(ak_ecc));
	f->wish.pcrs.bank = 0x0027; /* SHA3-256 */
	assert_false(quote(f));
	assert_memory_equal(f->problem.text, "TPM2_PCR_Read: ", 15);
	assert_slots_free(f);
}

/* A device that answers with these bytes, whatever it is asked. */
static bool quote_from(struct fixture *f, const void *response, size_t size)
{
	const struct timeval wait = { .tv_sec = 5 };
	int ends[2];
	bool ok;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	assert_int_equal(write(ends[1], response, size), size);
	ok = quote_to(ends[0], &f->wish, f->folder, &f->problem);
	close(ends[0]);
	close(ends[1]);
	return ok;
}

static void test_nonsense(void **state)
{
	struct fixture *f = *state;
	uint8_t response[200] = { 0x80, 0x02 };

	attest(f, ak_ecc, sizeof(ak_ecc));
	assert_false(quote_from(f, response, 9));
	assert_string_equal(f->problem.text, "TPM2_CreatePrimary: a response of 9 bytes is none");
	put_be(response + 2, 11, 4);
	assert_false(quote_from(f, response, 10));
	assert_string_equal(f->problem.text, "TPM2_CreatePrimary: a response of 10 bytes is none");
	put_be(response + 2, 10, 4);
	assert_false(quote_from(f, response, 10));
	assert_string_equal(f->problem.text, "TPM2_CreatePrimary: the response is malformed");
	/* Parameters that would end far behind the response; a public area larger than those. */
	put_be(response + 2, sizeof(response), 4);
	put_be(response + 14, 0xffffffff, 4);
	assert_false(quote_from(f, response, sizeof(response)));
	assert_string_equal(f->problem.text, "TPM2_CreatePrimary: the response is malformed");
	put_be(response + 14, 20, 4);
	put_be(response + 18, 19, 2);
	assert_false(quote_from(f, response, sizeof(response)));
	assert_string_equal(f->problem.text, "TPM2_CreatePrimary: the response is malformed");
}

static size_t plain(struct tpm_blob *signature, const void *data, size_t size, uint8_t to[512])
{
	memcpy(signature->data, data, size);
	signature->size = size;
	return quote_plain_signature(signature, to, 512);
}

/* DER by hand: leading zeros go, and a high bit gets one. */
static void test_plain_signature(void **state)
{
	static const uint8_t ecdsa[] = { 0, 0x18, 0, 0x0b, 0, 2, 0, 5, 0, 1, 0x80 };
	static const uint8_t der[] = { 0x30, 7, 2, 1, 5, 2, 2, 0, 0x80 };
	static uint8_t big[4 + 2 * 68] = { 0, 0x18, 0, 0x0d };
	static struct tpm_blob signature;
	uint8_t to[512];

	(void)state;
	assert_int_equal(plain(&signature, ecdsa, sizeof(ecdsa), to), sizeof(der));
	assert_memory_equal(to, der, sizeof(der));
	for (size_t size = 0; size < sizeof(ecdsa); size++)
		assert_int_equal(plain(&signature, ecdsa, size, to), 0);
	big[5] = big[5 + 68] = 66;
	memset(big + 6, 0xff, 66);
	memset(big + 6 + 68, 0x7f, 66);
	assert_int_equal(plain(&signature, big, sizeof(big), to), 3 + 69 + 68);
	assert_memory_equal(to, "\x30\x81\x89\x02\x43\x00\xff", 7);
	big[5] = 67;
	assert_int_equal(plain(&signature, big, sizeof(big), to), 0);
	assert_int_equal(plain(&signature, "\0\x14\0\x0b\0\2ab", 8, to), 2);
	assert_memory_equal(to, "ab", 2);
	assert_int_equal(plain(&signature, "\0\x14\0\x0b\0\2abc", 9, to), 0);
	assert_int_equal(plain(&signature, "\0\x05\0\x0b\0\2ab", 8, to), 0);
}

/* The log of tpmrm1 is tpm1's; one that is gone leaves none. */
static void test_log(void **state)
{
	struct fixture *f = *state;
	char tpm[128], log[160], kept[160];
	uint8_t bytes[16];

	snprintf(tpm, sizeof(tpm), "%s/tpm1", f->folder);
	assert_int_equal(mkdir(tpm, 0700), 0);
	put(f, "tpm1/binary_bios_measurements", "a log", 5);
	assert_int_equal(quote_keep_log("/dev/tpmrm1", f->folder, f->folder), 0);
	assert_int_equal(get(f, "eventlog.bin", bytes, sizeof(bytes)), 5);
	assert_memory_equal(bytes, "a log", 5);
	assert_int_equal(quote_keep_log("/dev/tpm0", f->folder, f->folder), 0);
	snprintf(log, sizeof(log), "%s/eventlog.bin", f->folder);
	assert_int_equal(access(log, F_OK), -1);
	assert_int_equal(quote_keep_log("/dev/tpm0", f->folder, f->folder), 0);
	snprintf(log, sizeof(log), "%s/binary_bios_measurements", tpm);
	assert_int_equal(truncate(log, (512 << 10) + 1), 0);
	assert_int_equal(quote_keep_log("/dev/tpm1", f->folder, f->folder), 0);
	snprintf(kept, sizeof(kept), "%s/eventlog.bin", f->folder);
	assert_int_equal(access(kept, F_OK), -1);
	assert_int_equal(unlink(log), 0);
	assert_int_equal(rmdir(tpm), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ecc, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rsa, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_pcrs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zero_unique, setup, teardown),
		cmocka_unit_test_setup_teardown(test_given_template, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nv_template, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_nv, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_signing_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_kind_of_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_manifest_version_1, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bank_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log, setup, teardown),
		cmocka_unit_test(test_plain_signature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
