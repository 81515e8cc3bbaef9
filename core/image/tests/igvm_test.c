/* SPDX-License-Identifier: MIT */
/*
 * The IGVM reader against files made by hand, byte for byte, and against every way to break them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc32.h"
#include "core/image/igvm.h"

#define HEADERS_MAX 1024u
#define DATA_PAGES 2u

/* A file under construction: offsets in it are those of the specification, written out here. */
struct sample {
	uint8_t headers[HEADERS_MAX]; /* fixed and variable */
	uint32_t size;
	uint32_t at[16]; /* offset of each variable header */
	unsigned int count;
};

static void put(struct sample *s, uint32_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		s->headers[s->size++] = (uint8_t)(value >> 8 * i);
}

static void put64(struct sample *s, uint64_t value)
{
	put(s, (uint32_t)value, 4);
	put(s, (uint32_t)(value >> 32), 4);
}

static void begin(struct sample *s, uint32_t type, uint32_t length)
{
	s->at[s->count++] = s->size;
	put(s, type, 4);
	put(s, length, 4);
}

static void put_platform(struct sample *s, uint32_t mask, uint32_t type)
{
	begin(s, 0x1, 16);
	put(s, mask, 4);
	put(s, 2, 1);
	put(s, type, 1);
	put(s, 1, 2);
	put64(s, 0);
}

static void put_policy(struct sample *s)
{
	begin(s, 0x101, 16);
	put64(s, 0x30000);
	put(s, 1, 4);
	put(s, 0, 4);
}

static void put_page(struct sample *s, uint64_t gpa, uint32_t offset, uint32_t flags, uint32_t type)
{
	begin(s, 0x302, 24);
	put64(s, gpa);
	put(s, 1, 4);
	put(s, offset, 4);
	put(s, flags, 4);
	put(s, type, 2);
	put(s, 0, 2);
}

static void put_vp(struct sample *s, uint64_t gpa, uint32_t offset, uint32_t index)
{
	begin(s, 0x304, 20);
	put64(s, gpa);
	put(s, 1, 4);
	put(s, offset, 4);
	put(s, index, 2);
	put(s, 0, 2);
	put(s, 0, 4); /* padding to 8 */
}

static void put_required(struct sample *s, uint64_t gpa, uint32_t bytes)
{
	begin(s, 0x305, 24);
	put64(s, gpa);
	put(s, 1, 4);
	put(s, bytes, 4);
	put(s, 0, 4);
	put(s, 0, 4);
}

static void start(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	s->size = 24;
}

static void set32(uint8_t *at, uint32_t value)
{
	for (unsigned int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

/* The finished file, on the heap so that the sanitizer sees every byte beyond it. */
static uint8_t *finish(const struct sample *s, size_t *size)
{
	uint8_t *file;

	*size = s->size + DATA_PAGES * 4096u;
	file = calloc(1, *size);
	assert_non_null(file);
	memcpy(file, s->headers, s->size);
	memcpy(file, "IGVM", 4);
	set32(file + 4, 1);
	set32(file + 8, 24);
	set32(file + 12, s->size - 24);
	set32(file + 16, (uint32_t)*size);
	set32(file + 20, 0);
	set32(file + 20, core_crc32(0, file, s->size));
	for (size_t i = s->size; i < *size; i++)
		file[i] = (uint8_t)(i * 13 + 5);
	return file;
}

static struct igvm_error refusal(const struct sample *s)
{
	struct igvm_file igvm;
	struct igvm_error error;
	size_t size;
	uint8_t *file = finish(s, &size);

	assert_false(igvm_open(&igvm, file, size, &error));
	assert_int_not_equal(error.code, IGVM_OK);
	assert_true(error.text[0] != '\0' && strlen(error.text) < IGVM_ERROR_TEXT);
	free(file);
	return error;
}

static void assert_refused(const struct sample *s, enum igvm_error_code code, uint32_t offset,
			   const char *text)
{
	struct igvm_error error = refusal(s);

	assert_int_equal(error.code, code);
	assert_int_equal(error.offset, offset);
	assert_non_null(strstr(error.text, text));
}

#define GOOD_HEADERS (24u + 24u + 24u + 7u * 32u)

/* One of everything that the reader takes. */
static void make_good(struct sample *s)
{
	start(s);
	put_platform(s, 1, 2);
	put_policy(s);
	put_required(s, 0x1000000, 0x1000000);
	put_page(s, 0x200000, 0, 1, 0);
	put_page(s, 0x102000, GOOD_HEADERS, 0, 0);
	put_page(s, 0x100000, 0, 0, 1);
	put_page(s, 0x101000, 0, 0, 2);
	put_page(s, 0x103000, 0, 4, 0);
	put_vp(s, 0xfffffffff000, GOOD_HEADERS + 4096, 0);
	assert_int_equal(s->size, GOOD_HEADERS);
}

static void test_crc32_known_answers(void **state)
{
	(void)state;
	/* The check value of CRC-32/ISO-HDLC; the others are Python's zlib.crc32(). */
	assert_int_equal(core_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(core_crc32(0, "", 0), 0);
	assert_int_equal(core_crc32(0, "The quick brown fox jumps over the lazy dog", 43),
			 0x414fa339);
	assert_int_equal(core_crc32(core_crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
}

static void test_good_file(void **state)
{
	static const uint32_t order[] = { 0x305, 0x302, 0x302, 0x302, 0x302, 0x302, 0x304 };
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;
	struct igvm_file igvm;
	struct igvm_error error;
	struct sample s;
	uint8_t *file;
	size_t size;

	(void)state;
	make_good(&s);
	file = finish(&s, &size);
	assert_true(igvm_open(&igvm, file, size, &error));
	assert_true(igvm.has_policy);
	assert_int_equal(igvm.policy, 0x30000);
	assert_int_equal(igvm.directive_count, 7);
	assert_int_equal(igvm.vp_count, 1);
	assert_int_equal(igvm.page_count, 512 + 5);
	for (unsigned int i = 0; i < 7; i++) {
		assert_true(igvm_next(&igvm, &cursor, &d));
		assert_int_equal(d.type, order[i]);
		assert_int_equal(d.header_offset, s.at[i + 2]);
		if (i == 1)
			assert_int_equal(d.size, 0x200000);
		if (i == 2)
			assert_ptr_equal(d.data, file + GOOD_HEADERS);
		else if (i < 6)
			assert_null(d.data);
	}
	assert_int_equal(d.vp_context.gpa, 0xfffffffff000);
	assert_ptr_equal(d.data, file + GOOD_HEADERS + 4096);
	assert_false(igvm_next(&igvm, &cursor, &d));
	free(file);
}

static void test_truncated_anywhere(void **state)
{
	struct igvm_file igvm;
	struct igvm_error error;
	struct sample s;
	uint8_t *file;
	size_t size;

	(void)state;
	make_good(&s);
	file = finish(&s, &size);
	for (size_t length = 0; length < size; length++) {
		uint8_t *cut = malloc(length ? length : 1);

		memcpy(cut, file, length);
		assert_false(igvm_open(&igvm, cut, length, &error));
		if (length >= 24) {
			/* also when the header agrees with the shorter file */
			set32(cut + 16, (uint32_t)length);
			if (length >= s.size) {
				set32(cut + 20, 0);
				set32(cut + 20, core_crc32(0, cut, s.size));
			}
			assert_false(igvm_open(&igvm, cut, length, &error));
		}
		free(cut);
	}
	free(file);
}

/* The checksum catches every changed byte of the headers. */
static void test_every_header_byte_counts(void **state)
{
	struct igvm_file igvm;
	struct igvm_error error;
	struct sample s;
	uint8_t *file;
	size_t size;

	(void)state;
	make_good(&s);
	file = finish(&s, &size);
	for (uint32_t i = 0; i < s.size; i++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			file[i] ^= (uint8_t)(1u << bit);
			assert_false(igvm_open(&igvm, file, size, &error));
			if (i >= 24)
				assert_int_equal(error.code, IGVM_ERR_CHECKSUM);
			file[i] ^= (uint8_t)(1u << bit);
		}
	}
	assert_true(igvm_open(&igvm, file, size, &error));
	free(file);
}

/*
 * With a matching checksum, any byte of the headers may be anything: either the file is refused, or
 * all that the reader then yields lies in the file.
 */
static void test_any_header_byte_with_checksum(void **state)
{
	struct sample good;

	(void)state;
	make_good(&good);
	for (uint32_t i = 24; i < good.size; i++) {
		for (unsigned int value = 0; value < 256; value += 5) {
			struct sample s = good;
			struct igvm_cursor cursor = { 0 };
			struct igvm_directive d;
			struct igvm_file igvm;
			struct igvm_error error;
			size_t size;
			uint8_t *file;
			volatile unsigned int sum = 0; /* the sanitizer checks the reads */

			s.headers[i] = (uint8_t)value;
			file = finish(&s, &size);
			if (igvm_open(&igvm, file, size, &error)) {
				while (igvm_next(&igvm, &cursor, &d)) {
					for (uint32_t at = 0; d.data && at < d.size; at += 4095)
						sum = sum + d.data[at];
				}
			}
			free(file);
		}
	}
}

static void test_fixed_header(void **state)
{
	static const struct {
		uint32_t offset, value;
		enum igvm_error_code code;
	} cases[] = {
		{ 0, 0x4d564748, IGVM_ERR_MAGIC },
		{ 4, 0, IGVM_ERR_MAGIC },
		{ 4, 2, IGVM_ERR_MAGIC },
		{ 8, 16, IGVM_ERR_FORMAT },
		{ 8, 32, IGVM_ERR_FORMAT },
		{ 8, 0xfffffff8, IGVM_ERR_FORMAT },
		{ 12, 0xfffffff8, IGVM_ERR_TRUNCATED },
		{ 12, 4, IGVM_ERR_TRUNCATED },
		{ 12, 8, IGVM_ERR_CHECKSUM },
		{ 16, 24, IGVM_ERR_TRUNCATED },
		{ 16, 0xffffffff, IGVM_ERR_TRUNCATED },
		{ 20, 0, IGVM_ERR_CHECKSUM },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct igvm_file igvm;
		struct igvm_error error;
		struct sample s;
		uint8_t *file;
		size_t size;

		make_good(&s);
		file = finish(&s, &size);
		set32(file + cases[i].offset, cases[i].value);
		assert_false(igvm_open(&igvm, file, size, &error));
		assert_int_equal(error.code, cases[i].code);
		free(file);
	}
}

static void test_directives_by_name(void **state)
{
	struct sample s;

	(void)state;
	start(&s);
	put_platform(&s, 1, 2);
	begin(&s, 0x301, 16);
	put64(&s, 4096);
	put64(&s, 0);
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 48, "PARAMETER_AREA");

	start(&s);
	put_platform(&s, 1, 2);
	begin(&s, 0x3ff, 0);
	assert_refused(&s, IGVM_ERR_UNKNOWN, 48, "0x3ff");

	/* Bit 31 says that a loader which does not know a type may pass over it. */
	start(&s);
	put_platform(&s, 1, 2);
	begin(&s, 0x800003ff, 3);
	put64(&s, 0x00ffffff);
	put_page(&s, 0x1000, 0, 0, 9);
	assert_refused(&s, IGVM_ERR_UNKNOWN, 64, "page data type 9");

	/* But its padding must be 0 like any other, and its length within the headers. */
	start(&s);
	put_platform(&s, 1, 2);
	begin(&s, 0x800003ff, 3);
	put64(&s, 0x01ffffff);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "padding");
	start(&s);
	put_platform(&s, 1, 2);
	begin(&s, 0x800003ff, 0xfffffffd);
	assert_refused(&s, IGVM_ERR_TRUNCATED, 48, "leaves its section");
	start(&s);
	put_platform(&s, 1, 2);
	begin(&s, 0x80000302, 24);
	for (int i = 0; i < 3; i++)
		put64(&s, 0);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "ignorable");
}

static void test_platform(void **state)
{
	struct sample s;

	(void)state;
	start(&s);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 24, "no SUPPORTED_PLATFORM");
	start(&s);
	put_page(&s, 0x1000, 0, 0, 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 24, "no SUPPORTED_PLATFORM before PAGE_DATA");
	start(&s);
	put_platform(&s, 1, 3);
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 24, "platform type 3");
	start(&s);
	put_platform(&s, 3, 2);
	assert_refused(&s, IGVM_ERR_FORMAT, 24, "compatibility mask 0x3");
	start(&s);
	put_platform(&s, 0, 2);
	assert_refused(&s, IGVM_ERR_FORMAT, 24, "compatibility mask 0x0");
	start(&s);
	put_platform(&s, 1, 2);
	put_platform(&s, 1, 2);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 48, "second SUPPORTED_PLATFORM");
	start(&s);
	put_platform(&s, 2, 2);
	put_page(&s, 0x1000, 0, 0, 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 48, "compatibility mask 0x1");
	start(&s);
	put_platform(&s, 1, 2);
	put_page(&s, 0x1000, 0, 0, 0);
	put_policy(&s);
	assert_refused(&s, IGVM_ERR_FORMAT, 80, "GUEST_POLICY comes after");
	start(&s);
	put_platform(&s, 1, 2);
	put_policy(&s);
	put_policy(&s);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 72, "second GUEST_POLICY");
}

/* A file of a platform and one page. */
static void one_page(struct sample *s, uint64_t gpa, uint32_t offset, uint32_t flags, uint32_t type)
{
	start(s);
	put_platform(s, 1, 2);
	put_page(s, gpa, offset, flags, type);
}

static void test_page_data(void **state)
{
	struct sample s;

	(void)state;
	one_page(&s, 0x1800, 0, 0, 0);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "0x1800 is unaligned");
	one_page(&s, 0x1000, 0, 1, 0);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "0x1000 is unaligned");
	one_page(&s, 1ull << 52, 0, 0, 0);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "not a physical address");
	one_page(&s, 0xfffffffffffff000, 0, 0, 0);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "not a physical address");
	one_page(&s, 0x1000, 0, 8, 0);
	assert_refused(&s, IGVM_ERR_UNKNOWN, 48, "page flags 0x8");
	one_page(&s, 0x1000, 0, 0, 3);
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 48, "CPUID_XF");
	one_page(&s, 0x1000, 0, 4, 1);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 48, "shared");
	one_page(&s, 0x200000, 0, 1, 2);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 48, "large");
	one_page(&s, 0x1000, 80, 0, 1);
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 48, "contents");
	/* File data within the headers, past the end, and past the end by its last byte. */
	one_page(&s, 0x1000, 79, 0, 0);
	assert_refused(&s, IGVM_ERR_TRUNCATED, 48, "outside the data section");
	one_page(&s, 0x1000, 0xffffffff, 0, 0);
	assert_refused(&s, IGVM_ERR_TRUNCATED, 48, "outside the data section");
	one_page(&s, 0x1000, 80 + 4096 + 1, 0, 0);
	assert_refused(&s, IGVM_ERR_TRUNCATED, 48, "outside the data section");
	one_page(&s, 0x200000, 80, 1, 0);
	assert_refused(&s, IGVM_ERR_TRUNCATED, 48, "outside the data section");
	one_page(&s, 0x1000, 0, 0, 0);
	s.headers[78] = 1;
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "reserved");
	one_page(&s, 0x1000, 0, 0, 0);
	s.headers[52] = 16;
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "PAGE_DATA has 16 bytes");
}

static void test_vp_context_and_memory(void **state)
{
	struct sample s;

	(void)state;
	start(&s);
	put_platform(&s, 1, 2);
	put_vp(&s, 0x1000, 0, 0);
	assert_refused(&s, IGVM_ERR_TRUNCATED, 48, "outside the data section");
	start(&s);
	put_platform(&s, 1, 2);
	put_vp(&s, 0x1000, 112, 1);
	put_vp(&s, 0x2000, 112, 1);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 80, "second VP_CONTEXT with index 1");
	start(&s);
	put_platform(&s, 1, 2);
	put_vp(&s, 0x1000, 80, 1);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 24, "VP indices");
	start(&s);
	put_platform(&s, 1, 2);
	put_vp(&s, 0x1000, 80, 64);
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 48, "VP index 64");
	start(&s);
	put_platform(&s, 1, 2);
	put_required(&s, 0x1000, 0);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "not whole pages");
	start(&s);
	put_platform(&s, 1, 2);
	put_required(&s, 0x1000, 0x1800);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "not whole pages");
}

static void test_pages_twice(void **state)
{
	struct sample s;

	(void)state;
	one_page(&s, 0x5000, 0, 0, 0);
	put_page(&s, 0x7000, 0, 0, 0);
	put_page(&s, 0x5000, 0, 0, 1);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 112, "0x5000 is loaded twice");
	/* A small page in a large one, in either order, also far up. */
	one_page(&s, 0x40000200000, 0, 1, 0);
	put_page(&s, 0x400003ff000, 0, 0, 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 80, "0x400003ff000");
	one_page(&s, 0x400003ff000, 0, 0, 0);
	put_page(&s, 0x40000200000, 0, 1, 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 80, "0x400003ff000");
	one_page(&s, 0xfffffffff000, 0, 0, 0);
	put_vp(&s, 0xfffffffff000, 112, 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 80, "0xfffffffff000");
	/* The last page of one window of the search and the first of the next are two. */
	one_page(&s, 0x7fff000, 0, 0, 0);
	put_page(&s, 0x8000000, 0, 0, 0);
	put_page(&s, 0x8000000, 0, 0, 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 112, "0x8000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc32_known_answers),
		cmocka_unit_test(test_good_file),
		cmocka_unit_test(test_truncated_anywhere),
		cmocka_unit_test(test_every_header_byte_counts),
		cmocka_unit_test(test_any_header_byte_with_checksum),
		cmocka_unit_test(test_fixed_header),
		cmocka_unit_test(test_directives_by_name),
		cmocka_unit_test(test_platform),
		cmocka_unit_test(test_page_data),
		cmocka_unit_test(test_vp_context_and_memory),
		cmocka_unit_test(test_pages_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
