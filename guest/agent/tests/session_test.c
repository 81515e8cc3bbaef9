/* SPDX-License-Identifier: MIT */
/*
 * The agent against a host that wrote its frames beforehand, with a script in place of tpm2-tools,
 * a folder in place of configfs and, for quotes, libtpms in place of the device: the program is
 * linked with --wrap=quote_on.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest/agent/file.h"
#include "guest/agent/quote.h"
#include "guest/agent/session.h"
#include "guest/agent/tests/fake_tpm.h"
#include "guest/agent/tests/fake_tsm.h"
#include "guest/agent/tpm.h"
#include "guest/agent/tsm.h"
#include "tests/lib/scratch_dir.h"

static const char good_script[] =
	"#!/bin/sh\n"
	"cd $2\n"
	"case $1 in\n"
	"evidence)\n"
	"	for f in ek.pub ak.pub ak.name quote.msg quote.sig quote.pcrs; do\n"
	"		echo content of $f >$f\n"
	"	done\n"
	"	cat nonce.bin >binding.bin\n"
	"	echo made;;\n"
	"certificates) test \"$(cat ca.pem)\" = root;;\n"
	"activate) cat challenge.bin challenge.bin >answer.bin;;\n"
	"esac\n";

static const char bad_script[] = "#!/bin/sh\necho first; echo the tool broke >&2; echo; exit 3\n";

struct fixture {
	const char *folder;
	char work[256], tsm[256], script[256];
	struct channel guest, host;
	struct session session;
	uint8_t nonce[TSM_NONCE_SIZE];
};

static void write_script(const struct fixture *f, const char *text)
{
	assert_int_equal(file_write(f->script, text, strlen(text)), 0);
	assert_int_equal(chmod(f->script, 0700), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int ends[2];

	assert_non_null(f);
	f->folder = scratch_dir_make();
	snprintf(f->work, sizeof(f->work), "%s/work", f->folder);
	snprintf(f->tsm, sizeof(f->tsm), "%s/tsm", f->folder);
	snprintf(f->script, sizeof(f->script), "%s/script", f->folder);
	fake_tsm = (struct fake_tsm){ .outblob_size = 1184 };
	assert_int_equal(mkdir(f->work, 0700), 0);
	assert_int_equal(mkdir(f->tsm, 0700), 0);
	fake_tsm.root = f->tsm;
	write_script(f, good_script);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	f->guest.fd = ends[0];
	f->host.fd = ends[1];
	f->session = (struct session){
		.channel = &f->guest,
		.script = f->script,
		.folder = f->work,
		.tsm = f->tsm,
		.svsm = f->tsm,
		.tpm = "/nonexistent/tpm",
	};
	memset(f->nonce, 'N', sizeof(f->nonce));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->guest.fd);
	close(f->host.fd);
	fake_tsm.root = NULL;
	scratch_dir_remove();
	free(f);
	return 0;
}

static void host_says(struct fixture *f, uint32_t type, const void *payload, size_t size)
{
	assert_int_equal(channel_send(&f->host, type, payload, size), 0);
}

static void serve_to_end(struct fixture *f)
{
	host_says(f, CHANNEL_BYE, NULL, 0);
	assert_int_equal(session_serve(&f->session), 0);
}

static struct frame host_hears(struct fixture *f, uint32_t type)
{
	struct frame frame;

	assert_int_equal(channel_receive(&f->host, &frame), 0);
	assert_int_equal(frame.type, type);
	return frame;
}

static void hears_file(struct fixture *f, const char *name, const char *content, size_t size)
{
	struct frame frame = host_hears(f, CHANNEL_FILE);
	size_t name_size = strlen(name) + 1;

	assert_int_equal(frame.size, name_size + size);
	assert_memory_equal(frame.payload, name, name_size);
	assert_memory_equal(frame.payload + name_size, content, size);
}

static void hears_error(struct fixture *f, const char *line)
{
	struct frame frame = host_hears(f, CHANNEL_ERROR);

	assert_int_equal(frame.size, strlen(line));
	assert_memory_equal(frame.payload, line, frame.size);
}

static void hears_blob(struct fixture *f, const char *name, char filler, size_t size)
{
	char *content = malloc(size);

	assert_non_null(content);
	memset(content, filler, size);
	hears_file(f, name, content, size);
	free(content);
}

static void hears_text(struct fixture *f, const char *name)
{
	char content[64];

	snprintf(content, sizeof(content), "content of %s\n", name);
	hears_file(f, name, content, strlen(content));
}

static void test_hello(void **state)
{
	struct fixture *f = *state;
	struct frame frame;

	serve_to_end(f);
	frame = host_hears(f, CHANNEL_HELLO);
	assert_memory_equal(frame.payload, "kernel=", 7);
	assert_non_null(memmem(frame.payload, frame.size, "\ncpus=", 6));
	assert_non_null(memmem(frame.payload, frame.size, "\ntpm=none\n", 10));
}

static void test_hello_with_tpm(void **state)
{
	struct fixture *f = *state;
	struct frame frame;

	f->session.tpm = "/dev/null";
	serve_to_end(f);
	frame = host_hears(f, CHANNEL_HELLO);
	assert_non_null(memmem(frame.payload, frame.size, "\ntpm=/dev/null\n", 15));
}

static void test_nonce(void **state)
{
	struct fixture *f = *state;

	host_says(f, CHANNEL_NONCE, f->nonce, sizeof(f->nonce));
	serve_to_end(f);
	host_hears(f, CHANNEL_HELLO);
	/* The stand-in fills an attribute with the first letter of its name. */
	hears_blob(f, "report.bin", 'o', 1184);
	hears_blob(f, "manifest.bin", 'm', 314);
	hears_text(f, "ek.pub");
	hears_text(f, "ak.pub");
	hears_text(f, "ak.name");
	hears_text(f, "quote.msg");
	hears_text(f, "quote.sig");
	hears_text(f, "quote.pcrs");
	hears_blob(f, "report-vmpl2.bin", 'o', 1184);
	host_hears(f, CHANNEL_DONE);
	assert_true(fake_tsm.removed);
}

static void test_report_request(void **state)
{
	struct fixture *f = *state;
	struct tsm_report *report = malloc(sizeof(*report));

	assert_non_null(report);
	assert_int_equal(tsm_report_vtpm(f->tsm, f->nonce, 0, report), 0);
	assert_memory_equal(fake_tsm.inblob, f->nonce, sizeof(f->nonce));
	assert_memory_equal(fake_tsm.provider, "svsm", 4);
	assert_memory_equal(fake_tsm.guid, "c476f1eb-0123-45a5-9641-b4e7dde5bfe3", 36);
	assert_memory_equal(fake_tsm.version, "0", 1);
	assert_int_equal(report->report.size, 1184);
	assert_int_equal(report->manifest.size, 314);
	assert_int_equal(report->certificates.size, 0);
	assert_true(fake_tsm.removed);
	free(report);
}

/* The stand-in's floor is the letter p. */
static void test_kernel_report(void **state)
{
	struct fixture *f = *state;
	struct tsm_report *report = malloc(sizeof(*report));

	assert_non_null(report);
	assert_int_equal(tsm_report_kernel(f->tsm, f->nonce, report), 0);
	assert_memory_equal(fake_tsm.inblob, f->nonce, sizeof(f->nonce));
	assert_string_equal(fake_tsm.level, "p");
	assert_string_equal(fake_tsm.provider, "");
	assert_int_equal(report->report.size, 1184);
	free(report);
}

static void test_nonce_size(void **state)
{
	struct fixture *f = *state;

	host_says(f, CHANNEL_NONCE, f->nonce, sizeof(f->nonce) - 1);
	serve_to_end(f);
	host_hears(f, CHANNEL_HELLO);
	hears_error(f, "nonce: 63 bytes instead of 64");
}

static void test_no_svsm(void **state)
{
	struct fixture *f = *state;

	fake_tsm.missing = "service_provider";
	host_says(f, CHANNEL_NONCE, f->nonce, sizeof(f->nonce));
	serve_to_end(f);
	host_hears(f, CHANNEL_HELLO);
	hears_error(f, "svsm report: service_provider: No such file or directory");
	assert_true(fake_tsm.removed);
}

static void test_report_too_large(void **state)
{
	struct fixture *f = *state;

	fake_tsm.outblob_size = TSM_BLOB_MAX + 1;
	host_says(f, CHANNEL_NONCE, f->nonce, sizeof(f->nonce));
	serve_to_end(f);
	host_hears(f, CHANNEL_HELLO);
	hears_error(f, "svsm report: outblob: File too large");
}

static void test_step_fails(void **state)
{
	struct fixture *f = *state;

	write_script(f, bad_script);
	host_says(f, CHANNEL_NONCE, f->nonce, sizeof(f->nonce));
	serve_to_end(f);
	host_hears(f, CHANNEL_HELLO);
	hears_error(f, "evidence: the tool broke");
}

static void test_challenge(void **state)
{
	struct fixture *f = *state;

	host_says(f, CHANNEL_CHALLENGE, "abc", 3);
	serve_to_end(f);
	host_hears(f, CHANNEL_HELLO);
	hears_file(f, "answer.bin", "abcabc", 6);
	host_hears(f, CHANNEL_DONE);
}

static void test_authority(void **state)
{
	struct fixture *f = *state;

	host_says(f, CHANNEL_AUTHORITY, "root", 4);
	serve_to_end(f);
	host_hears(f, CHANNEL_HELLO);
	host_hears(f, CHANNEL_DONE);
}

static void test_authority_refused(void **state)
{
	struct fixture *f = *state;

	write_script(f, bad_script);
	host_says(f, CHANNEL_AUTHORITY, "root", 4);
	serve_to_end(f);
	host_hears(f, CHANNEL_HELLO);
	hears_error(f, "certificates: the tool broke");
}

/* The TPM behind every device, when there is one. */
static const struct fake_tpm *fake_tpm;

bool __real_quote_on(const char *device, const struct quote_wish *wish, const char *folder,
		     struct problem *problem);
bool __wrap_quote_on(const char *device, const struct quote_wish *wish, const char *folder,
		     struct problem *problem);

bool __wrap_quote_on(const char *device, const struct quote_wish *wish, const char *folder,
		     struct problem *problem)
{
	return fake_tpm ? quote_to(fake_tpm->fd, wish, folder, problem)
			: __real_quote_on(device, wish, folder, problem);
}

static void serve_key(struct fixture *f, const char *name)
{
	uint8_t payload[TSM_NONCE_SIZE + 64];

	memcpy(payload, f->nonce, TSM_NONCE_SIZE);
	memcpy(payload + TSM_NONCE_SIZE, name, strlen(name));
	host_says(f, CHANNEL_KEY, payload, TSM_NONCE_SIZE + strlen(name));
	serve_to_end(f);
	host_hears(f, CHANNEL_HELLO);
}

static void asks_key(struct fixture *f, const char *name, const char *error)
{
	serve_key(f, name);
	hears_error(f, error);
}

/* A manifest of version 1 with a P-256 attestation key of this TPM. Returns its size. */
static size_t make_manifest(const struct fake_tpm *tpm, uint8_t *manifest, size_t capacity)
{
	static const uint8_t ak_ecc[] = { 0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x00, 0x72,
					  0x00, 0x00, 0x00, 0x10, 0x00, 0x18, 0x00, 0x0b,
					  0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00 };
	static const uint8_t head[] = { 0, 0, 0, 1, 0, 0, 0, 1, 0 };
	struct problem problem;
	struct tpm_blob key;
	uint32_t handle;

	assert_true(tpm_create_primary(tpm->fd, ak_ecc, sizeof(ak_ecc), &handle, &key, &problem));
	assert_true(tpm_flush(tpm->fd, handle, &problem));
	assert_in_range(key.size, 1, UINT8_MAX);
	assert_true(sizeof(head) + 1 + key.size <= capacity);
	memcpy(manifest, head, sizeof(head));
	manifest[sizeof(head)] = (uint8_t)key.size;
	memcpy(manifest + sizeof(head) + 1, key.data, key.size);
	return sizeof(head) + 1 + key.size;
}

/* Names of the files that come, one after the other, up to DONE: of any content. */
static void hears_names(struct fixture *f, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct frame frame = host_hears(f, CHANNEL_FILE);

		assert_true(frame.size > strlen(names[i]) + 1);
		assert_string_equal((const char *)frame.payload, names[i]);
	}
	host_hears(f, CHANNEL_DONE);
}

/* All of a key's answer, from a kernel that has svsm/attest or not. */
static void quotes_key(struct fixture *f, const char *const *names, size_t count)
{
	struct fake_tpm tpm = fake_tpm_start();
	uint8_t manifest[256];

	fake_tsm.manifest_size = make_manifest(&tpm, manifest, sizeof(manifest));
	fake_tsm.manifest = manifest;
	fake_tpm = &tpm;
	serve_key(f, "ak-ecc-p256");
	fake_tpm = NULL;
	fake_tpm_stop(&tpm);
	hears_names(f, names, count);
}

static void test_key_quote(void **state)
{
	static const char *const names[] = {
		"ak/selector.bin", "ak/context.bin", "ak/manifest.bin", "ak/report.bin",
		"ak/quote.msg",	   "ak/quote.sig",   "ak/quote.pcrs",
	};

	quotes_key(*state, names, sizeof(names) / sizeof(names[0]));
	assert_memory_equal(fake_tsm.selector, "\2\0\0\0\0\0\0\0\x82\0\0\0", 13);
}

/* Without svsm/attest the key comes in the stock interface's list, and nothing is selected. */
static void test_key_stock(void **state)
{
	static const char *const names[] = {
		"ak/manifest.bin", "ak/report.bin", "ak/quote.msg", "ak/quote.sig", "ak/quote.pcrs",
	};
	struct fixture *f = *state;

	f->session.svsm = "/nonexistent/svsm/attest";
	quotes_key(f, names, sizeof(names) / sizeof(names[0]));
	assert_memory_equal(fake_tsm.inblob, f->nonce, sizeof(f->nonce));
	assert_memory_equal(fake_tsm.provider, "svsm", 4);
	assert_memory_equal(fake_tsm.version, "1", 1);
	assert_string_equal(fake_tsm.selector, "");
}

/* It is attested, but there is no TPM to quote with. */
static void test_key(void **state)
{
	struct fixture *f = *state;
	uint8_t file[2048];
	char path[300];

	asks_key(f, "ak-ecc-p256", "key: /nonexistent/tpm: No such file or directory");
	assert_memory_equal(fake_tsm.inblob, f->nonce, sizeof(f->nonce));
	assert_memory_equal(fake_tsm.selector, "\2\0\0\0\0\0\0\0\x82\0\0\0", 13);
	snprintf(path, sizeof(path), "%s/ak/report.bin", f->work);
	assert_int_equal(file_read(path, file, sizeof(file)), 1184);
	snprintf(path, sizeof(path), "%s/ak/selector.bin", f->work);
	assert_int_equal(file_read(path, file, sizeof(file)), 12);
}

static void test_key_unknown(void **state)
{
	asks_key(*state, "ak-dsa",
		 "key: there is no key 'ak-dsa'; the names are ek-rsa2048 "
		 "ek-ecc-p256 ek-h1-rsa2048 ek-h2-ecc-p256 ek-h3-ecc-p384 "
		 "ek-h4-ecc-p521 ek-h6-rsa3072 ek-h7-rsa4096 ak-rsa2048 "
		 "ak-ecc-p256 ak-ecc-p384 ek-ecc-p384");
}

static void test_key_without_name(void **state)
{
	asks_key(*state, "", "key: a nonce and a key's name do not take 64 bytes");
}

static void test_key_name_too_long(void **state)
{
	asks_key(*state, "ak-ecc-p256-ak-ecc-p256-ak-ecc-p256-ak-ecc-p256",
		 "key: a nonce and a key's name do not take 111 bytes");
}

/* An index changes nothing of what is attested. */
static void test_key_with_index(void **state)
{
	asks_key(*state, "ak-ecc-p256@0x01c10003",
		 "key: /nonexistent/tpm: No such file or directory");
	assert_memory_equal(fake_tsm.selector, "\2\0\0\0\0\0\0\0\x82\0\0\0", 13);
}

static void test_key_with_bad_index(void **state)
{
	asks_key(*state, "ak-ecc-p256@0x81000003", "key: no NV index comes after 'ak-ecc-p256@'");
}

static void test_key_without_index(void **state)
{
	asks_key(*state, "ak-ecc-p256@", "key: no NV index comes after 'ak-ecc-p256@'");
}

static void test_unknown_frame(void **state)
{
	struct fixture *f = *state;

	host_says(f, 99, NULL, 0);
	serve_to_end(f);
	host_hears(f, CHANNEL_HELLO);
	hears_error(f, "frame of unknown type 99");
}

static void test_closed_line(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(shutdown(f->host.fd, SHUT_WR), 0);
	assert_int_equal(session_serve(&f->session), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hello, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hello_with_tpm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonce, setup, teardown),
		cmocka_unit_test_setup_teardown(test_report_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_report, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonce_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_svsm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_report_too_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_step_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_challenge, setup, teardown),
		cmocka_unit_test_setup_teardown(test_authority, setup, teardown),
		cmocka_unit_test_setup_teardown(test_authority_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_quote, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_stock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_without_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_name_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_with_index, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_with_bad_index, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_without_index, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed_line, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
