/* SPDX-License-Identifier: MIT */
/* Attestations of selected keys, with a folder in place of configfs. */
#include <errno.h>
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

#include "guest/agent/file.h"
#include "guest/agent/svsm.h"
#include "guest/agent/tests/fake_tsm.h"

struct fixture {
	char folder[64], out[96], kernel[96], missing[96];
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
	strcpy(f->folder, P_tmpdir "/socle-svsm-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
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
	char command[96];

	fake_tsm.root = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", f->folder);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static bool attest(struct fixture *f)
{
	return svsm_attest_to(&f->roots, &f->wish, f->out, &f->problem);
}

static ssize_t get(const struct fixture *f, const char *name, uint8_t data[2048])
{
	char path[128];

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
	assert_string_equal(f->problem.text, "there is no key 'ek'");
}

/* Nothing selected: the stock interface does it, and files of a former selection go. */
static void test_stock(void **state)
{
	struct fixture *f = *state;
	uint8_t data[2048];

	assert_true(svsm_select_key(&f->wish, "ek-rsa2048", &f->problem));
	assert_true(attest(f));
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

static void test_no_module(void **state)
{
	struct fixture *f = *state;

	f->roots = (struct svsm_roots){ .svsm = "/nonexistent", .tsm = f->kernel };
	assert_true(svsm_select_key(&f->wish, "ek-rsa2048", &f->problem));
	assert_false(attest(f));
	assert_string_equal(f->problem.text, "no /nonexistent: the kernel or the SVSM attests no "
					     "selected key");
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
		cmocka_unit_test_setup_teardown(test_no_module, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reasons, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
