/* SPDX-License-Identifier: MIT */
/*
 * The reader of event logs against logs made by hand, and against forged ones. What real machines
 * wrote is compared with tpm2_eventlog in tests/peers/eventlog_test.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/evidence/host/event_words.h"

#define SHA256 0x000bu
#define SHA384 0x000cu

/* A log with the banks SHA-256 and SHA-384; numbers are the specification's, written out here. */
struct sample {
	uint8_t bytes[8192];
	size_t size;
	size_t last; /* where the last event begins */
};

static void put(struct sample *s, uint64_t value, unsigned int bytes)
{
	assert_true(s->size + bytes <= sizeof(s->bytes));
	for (unsigned int i = 0; i < bytes; i++)
		s->bytes[s->size++] = (uint8_t)(value >> 8 * i);
}

static void put_bytes(struct sample *s, const void *data, size_t size)
{
	assert_true(s->size + size <= sizeof(s->bytes));
	memcpy(s->bytes + s->size, data, size);
	s->size += size;
}

static void begin(struct sample *s)
{
	s->size = 0;
	put(s, 0, 4);
	put(s, 3, 4); /* EV_NO_ACTION */
	for (unsigned int i = 0; i < 20; i++)
		put(s, 0, 1);
	put(s, 37, 4);
	put_bytes(s, "Spec ID Event03", 16);
	put(s, 0, 4);
	put(s, 0, 1);
	put(s, 2, 1);
	put(s, 0, 1);
	put(s, 2, 1);
	put(s, 2, 4);
	put(s, SHA256, 2);
	put(s, 32, 2);
	put(s, SHA384, 2);
	put(s, 48, 2);
	put(s, 0, 1);
}

/* An event whose digests are of other bytes than its data. */
static void put_event(struct sample *s, uint32_t pcr, uint32_t type, const void *hashed,
		      size_t hashed_size, const void *data, size_t size)
{
	uint8_t digest[64];

	s->last = s->size;
	put(s, pcr, 4);
	put(s, type, 4);
	put(s, 2, 4);
	put(s, SHA256, 2);
	EVP_Digest(hashed, hashed_size, digest, NULL, EVP_sha256(), NULL);
	put_bytes(s, digest, 32);
	put(s, SHA384, 2);
	EVP_Digest(hashed, hashed_size, digest, NULL, EVP_sha384(), NULL);
	put_bytes(s, digest, 48);
	put(s, size, 4);
	put_bytes(s, data, size);
}

static void put_whole(struct sample *s, uint32_t pcr, uint32_t type, const void *data, size_t size)
{
	put_event(s, pcr, type, data, size, data, size);
}

static void put_no_action(struct sample *s, const void *data, size_t size)
{
	put_event(s, 0, 3, "", 0, data, size);
	memset(s->bytes + s->last + 14, 0, 32);
	memset(s->bytes + s->last + 48, 0, 48);
}

static void put_separators(struct sample *s, uint32_t from, uint32_t to)
{
	for (uint32_t pcr = from; pcr <= to; pcr++)
		put_whole(s, pcr, 4, "\0\0\0\0", 4);
}

/* UEFI_VARIABLE_DATA of the variable SecureBoot, which is on. */
static const uint8_t secure_boot[] = {
	0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03,
	0x2b, 0x8c, 10,	  0,	0,    0,    0,	  0,	0,    0,    1,	  0,	0,    0,
	0,    0,    0,	  0,	'S',  0,    'e',  0,	'c',  0,    'u',  0,	'r',  0,
	'e',  0,    'B',  0,	'o',  0,    'o',  0,	't',  0,    1,
};

/*
 * A boot: version, secure boot, a boot entry's value, separators, a program, GRUB's words, a file.
 */
static void make_good(struct sample *s)
{
	static const uint8_t entry[] = "GUID of variable\x8\0\0\0\0\0\0\0\x12\0\0\0\0\0\0\0"
				       "B\0o\0o\0t\0000\0000\0000\0001\0"
				       "\x01\0\0\0\x04\0D\0e\0b\0\0\0\x7f\xff\x04\0";

	begin(s);
	put_whole(s, 0, 8, "V\0002\0\0\0", 6);
	put_whole(s, 7, 0x80000001, secure_boot, sizeof(secure_boot));
	put_event(s, 1, 0x80000002, entry + 48, 18, entry, sizeof(entry) - 1);
	put_separators(s, 0, 7);
	put_event(s, 4, 0x80000003, "a PE file", 9, "a device path", 13);
	put_event(s, 8, 0xd, "linux /vmlinuz", 14, "grub_cmd: linux /vmlinuz", 25);
	put_event(s, 9, 0xd, "the file", 8, "/boot/vmlinuz", 14);
}

/*
 * Of a boot variable the value alone is proved: a long boot order is none of the entries, nor the
 * reverse.
 */
static void test_boot_values(void **state)
{
	static const uint8_t order[] = "\0\0\1\0\2\0\3\0\4\0\5\0";
	static const uint8_t entry[] = "\1\0\0\0\4\0D\0\0\0\x7f\xff\4\0";
	static const uint8_t no_end[] = "\1\0\0\0\4\0D\0\0\0\x7f\xff\4\1";
	struct event_log_event event = { .type = 0x80000002 };
	char line[EVENT_WORDS_MAX];

	(void)state;
	event_words_write(&event, &(struct event_words){ order, 12 }, line);
	assert_string_equal(line, "boot order 0000 0001 0002 0003 0004 0005");
	event_words_write(&event, &(struct event_words){ entry, 14 }, line);
	assert_string_equal(line, "boot entry \"D\"");
	event_words_write(&event, &(struct event_words){ no_end, 14 }, line);
	assert_null(strstr(line, "boot entry"));
	for (size_t size = 0; size < 14; size++) {
		uint8_t *cut = malloc(size ? size : 1);

		assert_non_null(cut);
		memcpy(cut, entry, size);
		event_words_write(&event, &(struct event_words){ cut, size }, line);
		assert_null(strstr(line, "boot entry"));
		free(cut);
	}
}

/* On the heap, so that the sanitizer sees every byte beyond it. */
static uint8_t *copy_of(const struct sample *s)
{
	uint8_t *bytes = malloc(s->size ? s->size : 1);

	assert_non_null(bytes);
	memcpy(bytes, s->bytes, s->size);
	return bytes;
}

static void assert_no_log(const struct sample *s, const char *text)
{
	uint8_t *bytes = copy_of(s);
	struct host_error error = { "" };
	struct event_log log;

	assert_false(event_log_open(&log, bytes, s->size, &error));
	if (!strstr(error.text, text))
		fail_msg("\"%s\" lacks \"%s\"", error.text, text);
	free(bytes);
}

static void assert_judged(const struct sample *s, const char *text)
{
	uint8_t *bytes = copy_of(s);
	struct host_error error = { "" };
	struct event_log log;

	assert_true(event_log_open(&log, bytes, s->size, &error));
	assert_int_equal(event_log_judge(&log, &error), text == NULL);
	if (text && !strstr(error.text, text))
		fail_msg("\"%s\" lacks \"%s\"", error.text, text);
	free(bytes);
}

static void test_good(void **state)
{
	static const char *const lines[] = {
		"V2",
		"secure boot is on",
		"boot entry \"Deb\"",
		"",
		"",
		"",
		"",
		"",
		"",
		"",
		"",
		"a program, by its digest",
		"linux /vmlinuz",
		"/boot/vmlinuz",
	};
	struct event_log_cursor cursor = { 0 };
	struct event_log_event event;
	struct event_words words;
	struct host_error error;
	struct event_log log;
	struct sample s;
	char line[EVENT_WORDS_MAX];
	unsigned int i = 0, proved = 0;

	(void)state;
	make_good(&s);
	assert_true(event_log_open(&log, s.bytes, s.size, &error));
	assert_true(event_log_judge(&log, &error));
	assert_int_equal(log.event_count, 15);
	assert_int_equal(log.bank_count, 2);
	assert_int_equal(log.extended, 0x3ff);
	for (; event_log_next(&log, &cursor, &event); i++) {
		enum event_proof proof = event_log_proof(&log, &event, &words);

		assert_int_equal(event.number, i + 1);
		event_words_write(&event, proof == EVENT_PROVED ? &words : NULL, line);
		assert_string_equal(line, lines[i]);
		proved += proof == EVENT_PROVED;
	}
	assert_int_equal(i, 14);
	assert_int_equal(proved, 12);
}

/* Nothing of a log that ends anywhere else than behind an event is one. */
static void test_cut(void **state)
{
	struct sample s, cut;
	unsigned int whole = 0;

	(void)state;
	make_good(&s);
	for (size_t size = 0; size < s.size; size++) {
		struct host_error error;
		struct event_log log;
		uint8_t *bytes;

		cut = s;
		cut.size = size;
		bytes = copy_of(&cut);
		whole += event_log_open(&log, bytes, size, &error);
		free(bytes);
	}
	assert_int_equal(whole, 14);
	cut = s;
	cut.size = s.last;
	assert_judged(&cut, NULL); /* replay alone sees that */
	put(&s, 0, 1);
	assert_no_log(&s, "event 15 (of an unknown type in PCR 0)");
}

static void test_form(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *text;
	} lies[] = {
		{ 0, 1, "begins with another event" },
		{ 4, 1, "begins with another event" },
		{ 8, 1, "begins with another event" },
		{ 32, 's', "no Spec ID Event03" },
		{ 46, '2', "no Spec ID Event03" },
		{ 48, 2, "platform class" },
		{ 52, 1, "another version" },
		{ 53, 1, "another version" },
		{ 55, 0, "size of words" },
		{ 55, 3, "size of words" },
		{ 56, 0, "no bank" },
		{ 56, 5, "more than four" },
		{ 56, 1, "more than they" },
		{ 60, 0x12, "not known" },
		{ 62, 20, "wrong size" },
		{ 64, SHA256, "wrong size" },
		{ 68, 1, "not all there" },
		{ 28, 36, "not all there" },
		{ 28, 38, "more than they" },
	};
	struct sample s;

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		make_good(&s);
		s.bytes[lies[i].at] = lies[i].value;
		assert_no_log(&s, lies[i].text);
	}
	make_good(&s);
	s.bytes[64] = SHA256;
	s.bytes[66] = 32;
	assert_no_log(&s, "twice");
}

static void test_events_of_wrong_form(void **state)
{
	struct sample s;
	size_t at;

	(void)state;
	make_good(&s);
	at = s.last;
	s.bytes[at] = 24;
	assert_no_log(&s, "no such PCR");
	make_good(&s);
	s.bytes[at + 8] = 1;
	assert_no_log(&s, "one digest for each bank");
	make_good(&s);
	s.bytes[at + 12] = 4;
	assert_no_log(&s, "no bank of the log");
	make_good(&s);
	s.bytes[at + 46] = SHA256;
	assert_no_log(&s, "there twice");
	make_good(&s);
	memset(s.bytes + at + 14, 0, 32);
	assert_no_log(&s, "digest of zeros");
	make_good(&s);
	s.bytes[at + 4] = 3;
	assert_no_log(&s, "it extends nothing, and has a digest");
	make_good(&s);
	s.bytes[at + 99] = 0x80; /* 2 GiB of data */
	assert_no_log(&s, "the file ends within it");
}

static void test_locality(void **state)
{
	uint8_t pcrs[EVENT_LOG_PCRS][EVENT_LOG_DIGEST_MAX];
	struct host_error error;
	struct event_log log;
	struct sample s;
	size_t size;

	(void)state;
	begin(&s);
	put_no_action(&s, "StartupLocality\0\3", 17);
	put_separators(&s, 0, 7);
	assert_judged(&s, NULL);
	assert_true(event_log_open(&log, s.bytes, s.size, &error));
	assert_int_equal(log.startup_locality, 3);
	assert_true(event_log_replay(&log, SHA384, pcrs, &size));
	assert_int_equal(size, 48);
	assert_memory_not_equal(pcrs[0], pcrs[1], 48);
	assert_memory_equal(pcrs[1], pcrs[2], 48);
	put_no_action(&s, "StartupLocality\0\0", 17);
	assert_no_log(&s, "behind an event of PCR 0");
	begin(&s);
	put_no_action(&s, "StartupLocality\0\2", 17);
	assert_no_log(&s, "that there is not");
	begin(&s);
	put_no_action(&s, "StartupLocality\0\3\0", 18);
	assert_no_log(&s, "another size");
}

/* Two extensions by hand: H(H(0 || a) || b), and ones where a PCR starts so. */
static void test_replay(void **state)
{
	uint8_t pcrs[EVENT_LOG_PCRS][EVENT_LOG_DIGEST_MAX], both[64] = { 0 }, ones[32];
	struct host_error error;
	struct event_log log;
	struct sample s;
	size_t size;

	(void)state;
	begin(&s);
	put_whole(&s, 9, 0xd, "a", 1);
	put_whole(&s, 9, 0xd, "b", 1);
	assert_true(event_log_open(&log, s.bytes, s.size, &error));
	assert_true(event_log_replay(&log, SHA256, pcrs, &size));
	EVP_Digest("a", 1, both + 32, NULL, EVP_sha256(), NULL);
	EVP_Digest(both, 64, both, NULL, EVP_sha256(), NULL);
	EVP_Digest("b", 1, both + 32, NULL, EVP_sha256(), NULL);
	EVP_Digest(both, 64, both, NULL, EVP_sha256(), NULL);
	assert_memory_equal(pcrs[9], both, 32);
	memset(ones, 0xff, sizeof(ones));
	assert_memory_equal(pcrs[17], ones, 32);
	assert_memory_equal(pcrs[22], ones, 32);
	memset(ones, 0, sizeof(ones));
	assert_memory_equal(pcrs[16], ones, 32);
	assert_memory_equal(pcrs[23], ones, 32);
	assert_false(event_log_replay(&log, 4, pcrs, &size));
}

static void test_separators(void **state)
{
	static const struct {
		uint32_t pcr, type;
		bool ok;
	} behind[] = {
		{ 0, 8, false },	  { 1, 0x80000002, true }, { 1, 0xa, false },
		{ 2, 0x80000004, false }, { 3, 5, false },	   { 4, 0x80000003, true },
		{ 4, 4, false },	  { 5, 0x80000006, true }, { 7, 0x80000001, false },
		{ 7, 0x800000e0, true },  { 7, 4, false },	   { 14, 4, true },
		{ 6, 4, false },	  { 5, 0x80000007, true },
	};
	struct sample s;

	(void)state;
	for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
		make_good(&s);
		put_whole(&s, behind[i].pcr, behind[i].type, "\0\0\0\0", 4);
		assert_judged(&s, behind[i].ok ? NULL : "behind the PCR's separator");
	}
	for (uint32_t without = 0; without < 8; without++) {
		char text[32];

		begin(&s);
		for (uint32_t pcr = 0; pcr < 8; pcr++) {
			if (pcr != without)
				put_separators(&s, pcr, pcr);
		}
		snprintf(text, sizeof(text), "PCR %u has no separator", without);
		assert_judged(&s, text);
	}
	begin(&s);
	put_whole(&s, 0, 4, "\1\0\0\0", 4);
	assert_judged(&s, "the firmware failed");
	begin(&s);
	put_whole(&s, 0, 4, "\0\0\0\0\0", 5);
	assert_judged(&s, "another size");
}

/* A digest that is kept while the data change; the same data where the system writes. */
static void test_words_are_the_digests(void **state)
{
	static const uint32_t types[] = { 8, 5, 0x80000001, 0x80000006, 0x80000007 };
	struct sample s;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const uint32_t pcr = types[i] == 8 ? 0 : types[i] == 0x80000006 ? 5 : 7;

		begin(&s);
		put_event(&s, pcr, types[i], "good", 4, "evil", 4);
		put_separators(&s, 0, 7);
		assert_judged(&s, "not what its digest is of");
		begin(&s);
		put_event(&s, pcr, types[i], "variabl", 7, "variable", 8); /* shim's */
		put_separators(&s, 0, 7);
		assert_judged(&s, types[i] == 0x80000001 ? NULL : "not what its digest is of");
	}
	begin(&s);
	put_event(&s, 0, 4, "\0\0\0", 3, "\0\0\0\0", 4);
	put_separators(&s, 1, 7);
	assert_judged(&s, "not what its digest is of");
	make_good(&s);
	put_whole(&s, 8, 0x80000001, secure_boot, sizeof(secure_boot));
	assert_judged(&s, "never in this PCR");
	make_good(&s);
	put_whole(&s, 8, 8, "V2", 2);
	assert_judged(&s, "never in this PCR");
	/* One bank that lies is enough. */
	make_good(&s);
	put_whole(&s, 5, 0x80000007, "Exit", 4);
	s.bytes[s.last + 60] ^= 1;
	assert_judged(&s, "not what its digest is of");
}

/* Types are hashed by nothing: what they would hide or pass for is refused. */
static void test_types_are_nobodys_digest(void **state)
{
	static const struct {
		uint32_t pcr, type;
	} elsewhere[] = {
		{ 7, 6 }, { 7, 0xd }, { 7, 0x80000006 }, { 2, 0x80000001 }, { 4, 0x80000001 }
	};
	struct sample s;

	(void)state;
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		begin(&s);
		put_whole(&s, elsewhere[i].pcr, elsewhere[i].type, secure_boot,
			  sizeof(secure_boot));
		put_separators(&s, 0, 7);
		assert_judged(&s, "never in this PCR");
	}
	begin(&s);
	put_separators(&s, 0, 6);
	put_whole(&s, 7, 0x80000007, "\0\0\0\0", 4);
	put_whole(&s, 7, 0x80000001, secure_boot, sizeof(secure_boot));
	put_separators(&s, 7, 7);
	assert_judged(&s, "a separator under another name");
}

/* As systemd's stub hashes and logs the name of a section. */
static void test_ascii_in_utf16(void **state)
{
	static const char wide[] = ".\0l\0i\0n\0u\0x\0\0";
	struct event_log_cursor cursor = { 0 };
	struct event_log_event event;
	struct event_words words;
	struct host_error error;
	struct event_log log;
	struct sample s;
	char line[EVENT_WORDS_MAX];

	(void)state;
	begin(&s);
	put_event(&s, 11, 0xd, ".linux", 7, wide, 14);
	put_event(&s, 11, 0xd, "a kernel", 8, wide, 14);
	put_event(&s, 11, 0xd, ".linuy", 7, wide, 14);
	assert_true(event_log_open(&log, s.bytes, s.size, &error));
	assert_true(event_log_next(&log, &cursor, &event));
	assert_int_equal(event_log_proof(&log, &event, &words), EVENT_PROVED);
	event_words_write(&event, &words, line);
	assert_string_equal(line, ".linux");
	assert_true(event_log_hashes(&log, &event, ".linux", 7));
	assert_false(event_log_hashes(&log, &event, ".linux", 6));
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(event_log_next(&log, &cursor, &event));
		assert_int_equal(event_log_proof(&log, &event, &words), EVENT_CLAIMED);
	}
}

static void test_words_are_printable(void **state)
{
	struct event_log_event event = { .type = 0xd };
	struct event_words words;
	char line[EVENT_WORDS_MAX];
	uint8_t bytes[2048];

	(void)state;
	memset(bytes, '\n', sizeof(bytes));
	words = (struct event_words){ bytes, 3 };
	event_words_write(&event, &words, line);
	assert_string_equal(line, "???");
	words.size = sizeof(bytes);
	event_words_write(&event, &words, line);
	assert_int_equal(strlen(line), EVENT_WORDS_MAX - 1);
	assert_string_equal(line + EVENT_WORDS_MAX - 4, "...");
	/* A variable whose lengths lie, and one that is cut. */
	event.type = 0x80000001;
	memcpy(bytes, secure_boot, sizeof(secure_boot));
	memset(bytes + 16, 0xff, 8);
	words.size = sizeof(secure_boot);
	event_words_write(&event, &words, line);
	assert_string_equal(line, "");
	for (size_t size = 0; size < sizeof(secure_boot); size++) {
		uint8_t *cut = malloc(size ? size : 1);

		assert_non_null(cut);
		memcpy(cut, secure_boot, size);
		event.data = cut;
		event.size = size;
		event_words_write(&event, NULL, line);
		assert_null(strstr(line, "secure boot is"));
		free(cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_boot_values),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_events_of_wrong_form),
		cmocka_unit_test(test_locality),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_separators),
		cmocka_unit_test(test_words_are_the_digests),
		cmocka_unit_test(test_types_are_nobodys_digest),
		cmocka_unit_test(test_ascii_in_utf16),
		cmocka_unit_test(test_words_are_printable),
	};

	return cmocka_run_group_tests_name("event_log", tests, NULL, NULL);
}
