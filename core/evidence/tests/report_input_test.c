/* SPDX-License-Identifier: MIT */
/* The forms of a report, at their edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include "core/evidence/host/report_input.h"

#define SIZE sizeof(struct psp_report)

static uint8_t bytes[SIZE + 64];

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	return 0;
}

static const char *read_exact(struct report_input *input, const void *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1); /* for the sanitizer to see a byte too far */
	const char *error;

	assert_non_null(copy);
	memcpy(copy, data, size);
	error = report_input_read(input, copy, size);
	free(copy);
	return error;
}

static void accepts(const void *data, size_t size, size_t table_size)
{
	struct report_input input;

	assert_null(read_exact(&input, data, size));
	assert_memory_equal(&input.report, bytes, SIZE);
	assert_int_equal(input.table.size, table_size);
	if (table_size)
		assert_memory_equal(input.table.data, bytes + SIZE, table_size);
	report_input_free(&input);
}

static void refuses(const void *data, size_t size)
{
	struct report_input input;

	assert_non_null(read_exact(&input, data, size));
	assert_null(input.table.data);
}

static void test_binary(void **state)
{
	(void)state;
	for (size_t size = 0; size < SIZE; size += 37)
		refuses(bytes, size);
	refuses(bytes, SIZE - 1);
	accepts(bytes, SIZE, 0);
	accepts(bytes, SIZE + 1, 1);
	accepts(bytes, SIZE + 64, 64);
}

static void test_hcl(void **state)
{
	uint8_t blob[32 + SIZE] = "HCLA";

	(void)state;
	memcpy(blob + 32, bytes, SIZE);
	accepts(blob, sizeof(blob), 0);
	refuses(blob, sizeof(blob) - 1);
	refuses(blob, 4);
	refuses(blob, 3);
}

static void test_hex(void **state)
{
	char text[3 * (SIZE + 64) + 1];
	size_t length = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		length += (size_t)sprintf(text + length, i % 2 ? "%02X\n" : "%02x ", bytes[i]);
	accepts(text, length, 64);
	accepts(text, 3 * SIZE, 0);
	refuses(text, 3 * SIZE - 2);
	refuses(text, 3 * SIZE - 3);
	text[10] = '\0';
	refuses(text, 3 * 100);
}

/*
 * By RFC 4648's own examples of padding, behind a report of 'A's, which are zeros. base64url,
 * section 5, is told by its two digits, here 62 and 63, and may go without padding.
 */
static void test_base64(void **state)
{
	static const struct {
		const char *end, *table;
	} good[] = { { "AAAAZg==", "f" },
		     { "AAAAZm8=", "fo" },
		     { "AAAAZm9v", "foo" },
		     { "AA AA\nZm 9v\r\nYg==", "foob" },
		     { "AAAA+/+/Zg==", "\xfb\xff\xbf"
				       "f" },
		     { "AAAA-_-_Zg==", "\xfb\xff\xbf"
				       "f" },
		     { "AAAA-_-_Zg", "\xfb\xff\xbf"
				     "f" },
		     { "AAAA-_-_Zm8", "\xfb\xff\xbf"
				      "fo" },
		     { "AAAA-_-_Zm9v", "\xfb\xff\xbf"
				       "foo" } };
	static const char *const bad[] = {
		"AAAAZg=",	"AAAAZg",    "AAAAZh==",      "AAAAZm9=",
		"AAAAZ===",	"AAAAZm=v",  "AAAA====",      "AAAA*m9v",
		"AAAA+-m9",	"AAAA-/m9",  "AAAA-_-_Zg=",   "AAAA-_-_Zh",
		"AAAA-_-_Zm9=", "AAAA-_-_Z", "AAAA-_-_Zg===", "AAAA+/+/Zg"
	};
	/* 1184 bytes are 1578 digits and 4 bits: 1576 are 1182, and the next group completes it. */
	char text[1576 + 32];
	struct report_input input;

	(void)state;
	memset(text, 'A', 1576);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		strcpy(text + 1576, good[i].end);
		assert_null(read_exact(&input, text, strlen(text)));
		assert_int_equal(input.table.size, strlen(good[i].table) + 1);
		assert_memory_equal(input.table.data + 1, good[i].table, strlen(good[i].table));
		report_input_free(&input);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(text + 1576, bad[i]);
		refuses(text, strlen(text));
	}
}

/* ---- JSON, as the crate `sev` writes it; tests/peers has that crate write genuine reports ---- */

struct text {
	char data[16384];
	size_t size;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	t->size += (size_t)vsnprintf(t->data + t->size, sizeof(t->data) - t->size, format, args);
	va_end(args);
	assert_in_range(t->size, 0, sizeof(t->data) - 1);
}

static void put_list(struct text *t, const char *name, size_t offset, size_t size)
{
	put(t, "\"%s\":[", name);
	for (size_t i = 0; i < size; i++)
		put(t, "%s%u", i ? "," : "", bytes[offset + i]);
	put(t, "],");
}

/* Without an FMC: Milan's and Genoa's layout. */
static void put_tcb(struct text *t, const char *name, size_t offset)
{
	put(t, "\"%s\":{\"fmc\":null,\"bootloader\":%u,\"tee\":%u,\"snp\":%u,\"microcode\":%u},",
	    name, bytes[offset], bytes[offset + 1], bytes[offset + 6], bytes[offset + 7]);
}

static unsigned long long number_at(size_t offset, size_t size)
{
	unsigned long long number = 0;

	for (size_t i = size; i > 0; i--)
		number = number << 8 | bytes[offset + i - 1];
	return number;
}

/* Bytes that JSON has no place for are zero, and numbers below 2^63, as jansson's are. */
static void zero_reserved(void)
{
	static const struct {
		size_t from, to;
	} gaps[] = {
		{ 0x3a, 0x3e },	  { 0x4c, 0x50 },   { 0x182, 0x186 }, { 0x18b, 0x1a0 },
		{ 0x1e2, 0x1e6 }, { 0x1eb, 0x1ec }, { 0x1ef, 0x1f0 }, { 0x1f2, 0x1f6 },
		{ 0x208, 0x2a0 }, { 0x330, 0x4a0 }, { 0x0f, 0x10 },   { 0x47, 0x48 },
		{ 0x1ff, 0x200 }, { 0x207, 0x208 },
	};

	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++)
		memset(bytes + gaps[i].from, 0, gaps[i].to - gaps[i].from);
}

static void put_report(struct text *t)
{
	put(t, "{\"version\":%llu,\"guest_svn\":%llu,\"policy\":%llu,", number_at(0, 4),
	    number_at(4, 4), number_at(8, 8));
	put_list(t, "family_id", 0x10, 16);
	put_list(t, "image_id", 0x20, 16);
	put(t, "\"vmpl\":%llu,\"sig_algo\":%llu,", number_at(0x30, 4), number_at(0x34, 4));
	put_tcb(t, "current_tcb", 0x38);
	put(t, "\"plat_info\":%llu,\"key_info\":%llu,", number_at(0x40, 8), number_at(0x48, 4));
	put_list(t, "report_data", 0x50, 64);
	put_list(t, "measurement", 0x90, 48);
	put_list(t, "host_data", 0xc0, 32);
	put_list(t, "id_key_digest", 0xe0, 48);
	put_list(t, "author_key_digest", 0x110, 48);
	put_list(t, "report_id", 0x140, 32);
	put_list(t, "report_id_ma", 0x160, 32);
	put_tcb(t, "reported_tcb", 0x180);
	put(t, "\"cpuid_fam_id\":%u,\"cpuid_mod_id\":%u,\"cpuid_step\":%u,", bytes[0x188],
	    bytes[0x189], bytes[0x18a]);
	put_list(t, "chip_id", 0x1a0, 64);
	put_tcb(t, "committed_tcb", 0x1e0);
	put(t, "\"current\":{\"build\":%u,\"minor\":%u,\"major\":%u},", bytes[0x1e8], bytes[0x1e9],
	    bytes[0x1ea]);
	put(t, "\"committed\":{\"build\":%u,\"minor\":%u,\"major\":%u},", bytes[0x1ec],
	    bytes[0x1ed], bytes[0x1ee]);
	put_tcb(t, "launch_tcb", 0x1f0);
	put(t, "\"launch_mit_vector\":%llu,\"current_mit_vector\":%llu,\"signature\":{",
	    number_at(0x1f8, 8), number_at(0x200, 8));
	put_list(t, "r", 0x2a0, 72);
	put_list(t, "s", 0x2e8, 72);
	put(t, "\"more\":0},\"unknown\":[1]}");
}

/* With one piece of the text, which has to be there, made another. */
static void refuses_changed(const struct text *good, const char *from, const char *to)
{
	const char *at = strstr(good->data, from);
	struct text t = { .size = 0 };

	assert_non_null(at);
	put(&t, "%.*s%s%s", (int)(at - good->data), good->data, to, at + strlen(from));
	refuses(t.data, t.size);
}

static void test_json(void **state)
{
	struct text report = { .size = 0 }, spaced = { .size = 0 };

	(void)state;
	zero_reserved();
	put_report(&report);
	accepts(report.data, report.size, 0);
	put(&spaced, "\n %s\n", report.data);
	accepts(spaced.data, spaced.size, 0);
	for (size_t size = 0; size < report.size; size += 53)
		refuses(report.data, size);
	refuses_changed(&report, "\"version\":", "\"verzion\":");
	refuses_changed(&report, "\"version\":", "\"version\":1,\"version\":");
	refuses_changed(&report, "\"version\":", "\"version\":4294967296,\"x\":");
	refuses_changed(&report, "\"version\":", "\"version\":-1,\"x\":");
	refuses_changed(&report, "\"version\":", "\"version\":\"2\",\"x\":");
	refuses_changed(&report, "\"measurement\":[", "\"measurement\":[0,");
	refuses_changed(&report, "\"measurement\":[", "\"measurement\":[256],\"x\":[");
	refuses_changed(&report, "\"measurement\":[", "\"measurement\":null,\"x\":[");
	refuses_changed(&report, "\"cpuid_step\":", "\"cpuid_step\":256,\"x\":");
	refuses_changed(&report, "\"current\":{", "\"current\":{\"build\":300,\"x\":{");
	refuses_changed(&report, "\"tee\":", "\"teee\":");
	refuses_changed(&report, "\"signature\":{", "\"signatur\":{");
	refuses_changed(&report, "\"s\":[", "\"s\":[1,");
	setup(NULL);
}

static void test_json_chain(void **state)
{
	static const char *const bad[] = {
		"{}",
		"[{\"cert_type\":\"VCEK\",\"data\":[]}]",
		"[{\"cert_type\":\"VCEK\",\"data\":\"AAAA\"}]",
		"[{\"cert_type\":\"VCEK\",\"data\":[1,256]}]",
		("[{\"cert_type\":\"VCEK\",\"data\":[1]},{\"cert_type\":\"VCEK\",\"data\":[1]},"
		 "{\"cert_type\":\"VCEK\",\"data\":[1]},{\"cert_type\":\"VCEK\",\"data\":[1]},"
		 "{\"cert_type\":\"VCEK\",\"data\":[1]}]"),
	};
	static const struct {
		const char *chain;
		size_t size;
	} good[] = {
		{ "null", 0 },
		{ "[]", 0 },
		{ "[{\"cert_type\":\"CRL\",\"data\":[1]},{\"cert_type\":{\"OTHER\":\"x\"},\"data\":"
		  "[]}]",
		  0 },
		{ "[{\"cert_type\":\"VCEK\",\"data\":[1,255]}]", 2 * 24 + 2 },
	};
	struct text report = { .size = 0 };
	struct report_input input;

	(void)state;
	zero_reserved();
	put_report(&report);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct text t = { .size = 0 };

		put(&t, "{\"attestation_report\":%s,\"cert_chain\":%s}", report.data, bad[i]);
		refuses(t.data, t.size);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct text t = { .size = 0 };

		put(&t, "{\"tee-evidence\":{\"attestation_report\":%s,\"cert_chain\":%s}}",
		    report.data, good[i].chain);
		assert_null(read_exact(&input, t.data, t.size));
		assert_memory_equal(&input.report, bytes, SIZE);
		assert_int_equal(input.table.size, good[i].size);
		report_input_free(&input);
	}
	setup(NULL);
}

/*
 * Trustee's evidence of kind az-snp-vtpm, in the form of each version; genuine ones are read by
 * tests/peers.
 */
static void test_json_azure(void **state)
{
	static const char *const bad[] = {
		"{\"hcl_report\":%s}",
		"{\"hcl_report\":null}",
		"{\"hcl_report\":\"\"}",
		"{\"hcl_report\":\"SENMQQ\"}",
		"{\"hcl_report\":[72,67,76,65]}",
		"{\"hcl_report\":[72,67,76,65,256]}",
		"{\"report\":7}",
	};
	static const struct {
		const char *vcek;
		size_t size;
	} good[] = { { "null", 0 },
		     { "\"AAECAw==\"", 2 * 24 + 4 },
		     { "\"AAEC_w\"", 2 * 24 + 4 },
		     { "\"-----BEGIN\"", 2 * 24 + 10 } };
	static const char *const no_vcek[] = { "7", "[1]", "\"\"", "\"*\"", "{}" };
	struct report_input input;
	struct text blob = { .size = 0 };

	(void)state;
	put(&blob, "[72,67,76,65");
	for (unsigned int i = 4; i < 32; i++)
		put(&blob, ",0");
	for (size_t i = 0; i < SIZE; i++)
		put(&blob, ",%u", bytes[i]);
	put(&blob, "]");
	for (size_t i = 0; i < 2 * (sizeof(good) / sizeof(good[0])); i++) {
		struct text t = { .size = 0 };

		put(&t, "{\"quote\":{},\"%s\":%s,\"vcek\":%s}", i % 2 ? "report" : "hcl_report",
		    blob.data, good[i / 2].vcek);
		assert_null(read_exact(&input, t.data, t.size));
		assert_memory_equal(&input.report, bytes, SIZE);
		assert_int_equal(input.table.size, good[i / 2].size);
		report_input_free(&input);
	}
	for (size_t i = 0; i < sizeof(no_vcek) / sizeof(no_vcek[0]); i++) {
		struct text t = { .size = 0 };

		put(&t, "{\"report\":%s,\"vcek\":%s}", blob.data, no_vcek[i]);
		refuses(t.data, t.size);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i], strlen(bad[i]));
}

static void test_too_large(void **state)
{
	uint8_t *much = calloc(1, EVIDENCE_REPORT_SIZE_MAX + 1);
	struct report_input input;

	(void)state;
	assert_non_null(much);
	assert_null(report_input_read(&input, much, EVIDENCE_REPORT_SIZE_MAX));
	report_input_free(&input);
	assert_non_null(report_input_read(&input, much, EVIDENCE_REPORT_SIZE_MAX + 1));
	free(much);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_binary),	   cmocka_unit_test(test_hcl),
		cmocka_unit_test(test_hex),	   cmocka_unit_test(test_base64),
		cmocka_unit_test(test_json),	   cmocka_unit_test(test_json_chain),
		cmocka_unit_test(test_json_azure), cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
