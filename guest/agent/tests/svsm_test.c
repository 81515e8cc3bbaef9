/* SPDX-License-Identifier: MIT */
/* Attestations of selected keys, with a folder in place of configfs. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "abi/tpm.h"
#include "guest/agent/file.h"
#include "guest/agent/svsm.h"
#include "guest/agent/tests/fake_tsm.h"
#include "tests/lib/scratch_dir.h"

struct fixture {
	const char *folder;
	char out[256], kernel[256], missing[256];
	struct svsm_roots roots;
	struct svsm_wish wish;
	struct problem problem;
};

/* A restricted P-256 signing key. */
static const uint8_t ak_ecc[] = { 0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x00, 0x72,
				  0x00, 0x00, 0x00, 0x10, 0x00, 0x18, 0x00, 0x0b,
				  0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00 };

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->folder = scratch_dir_make();
	snprintf(f->out, sizeof(f->out), "%s/out", f->folder);
	snprintf(f->kernel, sizeof(f->kernel), "%s/kernel", f->folder);
	snprintf(f->missing, sizeof(f->missing), "%s/missing", f->folder);
	fake_tsm = (struct fake_tsm){ .outblob_size = 1184 };
	assert_int_equal(mkdir(f->out, 0700), 0);
	assert_int_equal(mkdir(f->kernel, 0700), 0);
	fake_tsm.root = f->kernel;
	f->roots = (struct svsm_roots){ .svsm = f->kernel, .tsm = f->missing };
	memset(f->wish.nonce, 'N', sizeof(f->wish.nonce));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fake_tsm.root = NULL;
	scratch_dir_remove();
	free(f);
	return 0;
}

static bool attest(struct fixture *f)
{
	return svsm_attest_to(&f->roots, &f->wish, f->out, &f->problem);
}

static ssize_t get(const struct fixture *f, const char *name, uint8_t data[2048])
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", f->out, name);
	return file_read(path, data, 2048);
}

static void test_key(void **state)
{
	static const uint8_t selector[] = { 2, 0, 0, 0, 0, 0, 0, 0, 0x82, 0, 0, 0 };
	/* "SSM2", the vTPM's GUID, manifest version 1, 12 bytes of selector. */
	static const uint8_t context[] = { 0x53, 0x53, 0x4d, 0x32, 0xeb, 0xf1, 0x76,
					   0xc4, 0x23, 0x01, 0xa5, 0x45, 0x96, 0x41,
					   0xb4, 0xe7, 0xdd, 0xe5, 0xbf, 0xe3, 1,
					   0,	 0,    0,    12,   0,	 0,    0 };
	struct fixture *f = *state;
	uint8_t data[2048];

	f->wish.manifest_version = 1;
	assert_true(svsm_select_key(&f->wish, "ak-ecc-p256", &f->problem));
	assert_true(attest(f));
	assert_memory_equal(fake_tsm.inblob, f->wish.nonce, sizeof(f->wish.nonce));
	assert_memory_equal(fake_tsm.guid, "c476f1eb-0123-45a5-9641-b4e7dde5bfe3", 36);
	assert_string_equal(fake_tsm.manifest_version, "1");
	assert_memory_equal(fake_tsm.selector, selector, sizeof(selector));
	assert_true(fake_tsm.removed);
	assert_int_equal(get(f, "nonce.bin", data), 64);
	assert_int_equal(get(f, "report.bin", data), 1184);
	assert_int_equal(get(f, "manifest.bin", data), 314);
	assert_int_equal(get(f, "selector.bin", data), sizeof(selector));
	assert_memory_equal(data, selector, sizeof(selector));
	assert_int_equal(get(f, "context.bin", data), sizeof(context) + sizeof(selector));
	assert_memory_equal(data, context, sizeof(context));
	assert_memory_equal(data + sizeof(context), selector, sizeof(selector));
	assert_int_equal(get(f, "certs.bin", data), -ENOENT);
}

static void test_template(void **state)
{
	static const uint8_t kind[] = { 1, 0, 0, 0, 0, 0, 0, 0 };
	struct fixture *f = *state;

	assert_true(svsm_select_template(&f->wish, ak_ecc, sizeof(ak_ecc), &f->problem));
	assert_int_equal(f->wish.selector_size, sizeof(kind) + sizeof(ak_ecc));
	assert_memory_equal(f->wish.selector, kind, sizeof(kind));
	assert_memory_equal(f->wish.selector + sizeof(kind), ak_ecc, sizeof(ak_ecc));
	assert_true(attest(f));
}

static void test_bad_template(void **state)
{
	struct fixture *f = *state;

	assert_false(svsm_select_template(&f->wish, ak_ecc, sizeof(ak_ecc) - 1, &f->problem));
	assert_string_equal(f->problem.text, "the template: the template is cut short");
	assert_int_equal(f->wish.selector_size, 0);
}

static void test_nv(void **state)
{
	static const uint8_t selector[] = { 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0xc1, 1 };
	struct fixture *f = *state;

	svsm_select_nv(&f->wish, 0x01c10001);
	assert_int_equal(f->wish.selector_size, sizeof(selector));
	assert_memory_equal(f->wish.selector, selector, sizeof(selector));
}

static void test_unknown_key(void **state)
{
	struct fixture *f = *state;

	assert_false(svsm_select_key(&f->wish, "ek", &f->problem));
	assert_string_equal(f->problem.text,
			    "there is no key 'ek'; the names are ek-rsa2048 ek-ecc-p256 "
			    "ek-h1-rsa2048 ek-h2-ecc-p256 ek-h3-ecc-p384 ek-h4-ecc-p521 "
			    "ek-h6-rsa3072 ek-h7-rsa4096 ak-rsa2048 ak-ecc-p256 ak-ecc-p384 "
			    "ek-ecc-p384");
	assert_int_equal(f->wish.selector_size, 0);
}

/* Two names of one key. */
static void test_other_name(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(svsm_key_id("ek-h3-ecc-p384", &f->problem), 0x13);
	assert_int_equal(svsm_key_id("ek-ecc-p384", &f->problem), 0x13);
}

/* Nothing selected: the stock interface does it, and files of a former selection go. */
static void test_stock(void **state)
{
	struct fixture *f = *state;
	uint8_t data[2048];

	assert_true(svsm_select_key(&f->wish, "ek-rsa2048", &f->problem));
	assert_true(attest(f));
	f->wish.key = 0;
	f->wish.selector_size = 0;
	f->wish.manifest_version = 1;
	f->roots = (struct svsm_roots){ .svsm = f->missing, .tsm = f->kernel };
	assert_true(attest(f));
	assert_memory_equal(fake_tsm.provider, "svsm", 4);
	assert_memory_equal(fake_tsm.version, "1", 1);
	assert_int_equal(get(f, "report.bin", data), 1184);
	assert_int_equal(get(f, "selector.bin", data), -ENOENT);
	assert_int_equal(get(f, "context.bin", data), -ENOENT);
}

/* No tsm: svsm/attest without a selector. */
static void test_no_stock(void **state)
{
	struct fixture *f = *state;

	assert_true(attest(f));
	assert_string_equal(fake_tsm.manifest_version, "0");
	assert_string_equal(fake_tsm.selector, "");
}

/* ---- A kernel without svsm/attest ---- */

#define EK_SIZE 314u
#define AK_SIZE 88u

static void put_number(uint8_t **at, size_t bytes, size_t value)
{
	while (bytes-- > 0)
		*(*at)++ = (uint8_t)(value >> (8 * bytes));
}

/* A number of the key. */
static void put_part(uint8_t **at, size_t size, uint8_t filler)
{
	put_number(at, 2, size);
	memset(*at, filler, size);
	*at += size;
}

/* The public area of an EK of RSA 2048 or P-256, of the TCG's low or high range. */
static void put_ek(uint8_t **at, uint16_t type, bool high)
{
	static const uint8_t policy_a[] = { 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8,
					    0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
					    0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64,
					    0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa };
	static const uint8_t policy_b[] = { 0xca, 0x3d, 0x0a, 0x99, 0xa2, 0xb9, 0x39, 0x06,
					    0xf7, 0xa3, 0x34, 0x24, 0x14, 0xef, 0xcf, 0xb3,
					    0xa3, 0x85, 0xd4, 0x4c, 0xd1, 0xfd, 0x45, 0x90,
					    0x89, 0xd1, 0x9b, 0x50, 0x71, 0xc0, 0xb7, 0xa0 };

	put_number(at, 2, type);
	put_number(at, 2, TPM_ALG_SHA256);
	put_number(at, 4, high ? 0x000300f2 : 0x000300b2);
	put_number(at, 2, sizeof(policy_a));
	memcpy(*at, high ? policy_b : policy_a, sizeof(policy_a));
	*at += sizeof(policy_a);
	put_number(at, 8, 0x0006008000430010); /* AES-128-CFB, no scheme */
	if (type == TPM_ALG_RSA) {
		put_number(at, 2, 2048);
		put_number(at, 4, 0);
		put_part(at, 256, 0xc1);
		return;
	}
	put_number(at, 2, TPM_ECC_P256);
	put_number(at, 2, TPM_ALG_NULL);
	put_part(at, 32, 0x31);
	put_part(at, 32, 0x32);
}

/* That of a P-256 AK. */
static void put_ak(uint8_t **at)
{
	memcpy(*at, ak_ecc, sizeof(ak_ecc) - 4);
	*at += sizeof(ak_ecc) - 4;
	put_part(at, 32, 0x31);
	put_part(at, 32, 0x31);
}

static void offer(const uint8_t *manifest, const uint8_t *end)
{
	fake_tsm.manifest = manifest;
	fake_tsm.manifest_size = (size_t)(end - manifest);
}

/* A stock kernel's wish for this key. */
static bool fit(struct fixture *f, const char *key, bool version_given)
{
	f->roots = (struct svsm_roots){ .svsm = f->missing, .tsm = f->kernel };
	assert_true(svsm_select_key(&f->wish, key, &f->problem));
	return svsm_fit(&f->roots, version_given, &f->wish, &f->problem);
}

static void test_fits_module(void **state)
{
	struct fixture *f = *state;
	struct svsm_wish before;

	assert_true(svsm_select_key(&f->wish, "ak-ecc-p256", &f->problem));
	before = f->wish;
	assert_true(svsm_fit(&f->roots, false, &f->wish, &f->problem));
	assert_memory_equal(&f->wish, &before, sizeof(before));
}

static void test_no_module_ek(void **state)
{
	struct fixture *f = *state;
	uint8_t manifest[EK_SIZE], data[2048], *at = manifest;

	put_ek(&at, TPM_ALG_RSA, false);
	offer(manifest, at);
	assert_true(fit(f, "ek-rsa2048", false));
	assert_true(attest(f));
	assert_memory_equal(fake_tsm.provider, "svsm", 4);
	assert_memory_equal(fake_tsm.version, "0", 1);
	assert_int_equal(get(f, "manifest.bin", data), EK_SIZE);
	assert_int_equal(get(f, "selector.bin", data), -ENOENT);
	assert_int_equal(get(f, "context.bin", data), -ENOENT);
}

static void test_no_module_list(void **state)
{
	struct fixture *f = *state;
	uint8_t manifest[512], data[2048], *at = manifest;

	put_number(&at, 4, 1);
	put_number(&at, 4, 2);
	put_number(&at, 2, EK_SIZE);
	put_ek(&at, TPM_ALG_RSA, false);
	put_number(&at, 2, AK_SIZE);
	put_ak(&at);
	offer(manifest, at);
	assert_true(fit(f, "ak-ecc-p256", false));
	assert_true(attest(f));
	assert_memory_equal(fake_tsm.version, "1", 1);
	assert_int_equal(get(f, "manifest.bin", data), at - manifest);
	assert_int_equal(get(f, "selector.bin", data), -ENOENT);
	assert_int_equal(get(f, "context.bin", data), -ENOENT);
	/* A version that is asked for stays. */
	f->wish.manifest_version = 1;
	assert_true(fit(f, "ek-rsa2048", true));
	assert_true(attest(f));
	assert_memory_equal(fake_tsm.version, "1", 1);
	/* A key that this profile does not have. */
	assert_true(fit(f, "ak-ecc-p384", false));
	assert_false(attest(f));
	assert_string_equal(f->problem.text, "the manifest has no ak-ecc-p384");
	offer(manifest, at - 1);
	assert_false(attest(f));
	assert_memory_equal(f->problem.text, "the manifest: ", strlen("the manifest: "));
}

/* Keys of the same type and size: a manifest with one has none of the others. */
static void test_no_module_ranges(void **state)
{
	static const struct {
		const char *name, *missing;
		uint16_t type;
		bool high;
	} keys[] = {
		{ "ek-rsa2048", "the manifest has no ek-rsa2048", TPM_ALG_RSA, false },
		{ "ek-h1-rsa2048", "the manifest has no ek-h1-rsa2048", TPM_ALG_RSA, true },
		{ "ek-ecc-p256", "the manifest has no ek-ecc-p256", TPM_ALG_ECC, false },
		{ "ek-h2-ecc-p256", "the manifest has no ek-h2-ecc-p256", TPM_ALG_ECC, true },
	};
	const size_t count = sizeof(keys) / sizeof(keys[0]);
	struct fixture *f = *state;

	f->wish.manifest_version = 1;
	for (size_t i = 0; i < count * count; i++) {
		size_t has = i / count, wanted = i % count;
		uint8_t manifest[512], *at = manifest + 10;

		put_ek(&at, keys[has].type, keys[has].high);
		offer(manifest, at);
		at = manifest;
		put_number(&at, 4, 1);
		put_number(&at, 4, 1);
		put_number(&at, 2, fake_tsm.manifest_size - 10);
		assert_true(fit(f, keys[wanted].name, true));
		assert_int_equal(attest(f), has == wanted);
		if (has != wanted)
			assert_string_equal(f->problem.text, keys[wanted].missing);
	}
}

static void test_no_module_refused(void **state)
{
	static const char made[] = "cannot make /nonexistent/svsm/attest/socle-guest-";
	struct fixture *f = *state;

	f->roots = (struct svsm_roots){ .svsm = "/nonexistent/svsm/attest", .tsm = f->kernel };
	assert_true(svsm_select_key(&f->wish, "ak-rsa2048", &f->problem));
	assert_false(svsm_fit(&f->roots, true, &f->wish, &f->problem));
	assert_string_equal(
		f->problem.text,
		"no /nonexistent/svsm/attest: manifest version 0 has no ak-rsa2048 then");
	f->wish = (struct svsm_wish){ .manifest_version = 1 };
	svsm_select_nv(&f->wish, 0x01c10001);
	assert_false(svsm_fit(&f->roots, false, &f->wish, &f->problem));
	assert_string_equal(
		f->problem.text,
		"no /nonexistent/svsm/attest: a template or an NV index needs socle_tpm.ko and an "
		"SVSM with version 2 of the attestation protocol");
	assert_false(attest(f));
	assert_memory_equal(f->problem.text, made, strlen(made));
	assert_non_null(strstr(f->problem.text, ": No such file or directory"));
}

/* Neither interface: the two are named, and what is missing below them. */
static void test_no_configfs(void **state)
{
	struct fixture *f = *state;

	f->roots = (struct svsm_roots){ .svsm = "/nonexistent/svsm/attest",
					.tsm = "/nonexistent/tsm/report" };
	assert_false(attest(f));
	assert_string_equal(f->problem.text, "configfs is not mounted on /nonexistent: there is "
					     "neither /nonexistent/svsm/attest nor "
					     "/nonexistent/tsm/report");
	f->problem.text[0] = '\0';
	assert_true(svsm_select_key(&f->wish, "ak-rsa2048", &f->problem));
	assert_false(svsm_fit(&f->roots, false, &f->wish, &f->problem));
	assert_memory_equal(f->problem.text, "configfs is not mounted", 23);
}

static unsigned int count_items(const char *root)
{
	DIR *folder = opendir(root);
	struct dirent *entry;
	unsigned int count = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder)))
		count += strncmp(entry->d_name, "socle-guest-", 12) == 0;
	closedir(folder);
	return count;
}

/* Two of one process number, as two containers have them: each has a folder of its own. */
static void test_two_items(void **state)
{
	struct fixture *f = *state;
	struct configfs_item one, two;

	assert_int_equal(configfs_make(&one, f->kernel), 0);
	assert_int_equal(configfs_make(&two, f->kernel), 0);
	assert_string_not_equal(one.folder, two.folder);
	assert_int_equal(count_items(f->kernel), 2);
	configfs_remove(&one);
	assert_int_equal(count_items(f->kernel), 1);
	configfs_remove(&two);
	assert_int_equal(count_items(f->kernel), 0);
}

/* Forks an agent that has made an item, and tells it to end. */
static void end_agent(struct fixture *f, int number)
{
	int ready[2], status;
	char byte;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct configfs_item item;

		configfs_remove_on_signals();
		if (configfs_make(&item, f->kernel) != 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(count_items(f->kernel), 1);
	assert_int_equal(kill(child, number), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == number);
	close(ready[0]);
	close(ready[1]);
}

static void test_ended(void **state)
{
	struct fixture *f = *state;
	struct configfs_item item;

	end_agent(f, SIGTERM);
	assert_int_equal(count_items(f->kernel), 0);
	end_agent(f, SIGINT);
	assert_int_equal(count_items(f->kernel), 0);
	/* Nothing can be done against this; the next agent finds it. */
	end_agent(f, SIGKILL);
	assert_int_equal(count_items(f->kernel), 1);
	assert_int_equal(configfs_make(&item, f->kernel), 0);
	assert_int_equal(count_items(f->kernel), 1);
	configfs_remove(&item);
	assert_int_equal(count_items(f->kernel), 0);
}

static void fails_with(struct fixture *f, const char *service_error, const char *text)
{
	fake_tsm.missing = "outblob";
	fake_tsm.service_error = service_error;
	fake_tsm.removed = false;
	assert_false(attest(f));
	assert_string_equal(f->problem.text, text);
	assert_true(fake_tsm.removed);
}

static void test_reasons(void **state)
{
	struct fixture *f = *state;

	svsm_select_nv(&f->wish, 0x01c10001);
	fails_with(f, "0x80001100\n", "the SVSM attests no key that is selected so");
	fails_with(f, "0x8000218b\n", "the vTPM makes no such key: TPM error 0x18b");
	fails_with(f, "0x80001002\n", "the host lets the SVSM have no report just now");
	fails_with(f, "0x80000005\n", "the SVSM refuses the request: 0x80000005");
	/* The SVSM had no say in it. */
	fails_with(f, "", "outblob: No such file or directory");
	fails_with(f, "0x00000000\n", "outblob: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_template, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_template, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nv, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_stock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fits_module, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_module_ek, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_module_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_module_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_module_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_configfs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_items, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reasons, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
