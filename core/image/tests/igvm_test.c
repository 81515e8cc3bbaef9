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

#define HEADERS_MAX 16384u
#define DATA_PAGES 2u

/* A file under construction: offsets in it are those of the specification, written out here. */
struct sample {
	uint8_t headers[HEADERS_MAX]; /* fixed and variable */
	uint32_t size;
	uint32_t at[600]; /* offset of each variable header */
	uint32_t fixed;	  /* bytes of the fixed header: 24, or 32 of version 2 */
	unsigned int count;
	uint32_t ignored; /* bytes of one more header, last, that readers pass over; 0: none */
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

static void put_area(struct sample *s, uint64_t bytes, uint32_t index, uint32_t offset)
{
	begin(s, 0x301, 16);
	put64(s, bytes);
	put(s, index, 4);
	put(s, offset, 4);
}

static void put_insert(struct sample *s, uint64_t gpa, uint32_t mask, uint32_t index)
{
	begin(s, 0x303, 16);
	put64(s, gpa);
	put(s, mask, 4);
	put(s, index, 4);
}

static void put_parameter(struct sample *s, uint32_t type, uint32_t index, uint32_t offset)
{
	begin(s, type, 8);
	put(s, index, 4);
	put(s, offset, 4);
}

static void put_error_range(struct sample *s, uint64_t gpa, uint32_t bytes)
{
	begin(s, 0x30d, 16);
	put64(s, gpa);
	put(s, 1, 4);
	put(s, bytes, 4);
}

static void put_relocatable(struct sample *s, uint64_t alignment, uint64_t gpa, uint64_t size)
{
	begin(s, 0x102, 48);
	put(s, 1, 4);
	put(s, 0, 4);
	put64(s, alignment);
	put64(s, gpa);
	put64(s, size);
	put64(s, 0);
	put64(s, 0x10000000);
}

static void put_page_tables(struct sample *s, uint64_t gpa, uint64_t size, uint64_t used)
{
	begin(s, 0x103, 32);
	put(s, 1, 4);
	put(s, 0, 4);
	put64(s, gpa);
	put64(s, size);
	put64(s, used);
}

static void put_id_block(struct sample *s, uint32_t mask, unsigned int author)
{
	begin(s, 0x30b, 696);
	put(s, mask, 4);
	put(s, author, 4);
	for (unsigned int i = 0; i < 688 / 8; i++)
		put64(s, 0);
}

static void start(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	s->size = s->fixed = 24;
}

static void start_version_2(struct sample *s, uint32_t architecture, uint32_t page_size)
{
	start(s);
	put(s, architecture, 4);
	put(s, page_size, 4);
	s->fixed = 32;
}

static void set32(uint8_t *at, uint32_t value)
{
	for (unsigned int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

/* The finished file, on the heap so that the sanitizer sees every byte beyond it. */
static uint8_t *finish(const struct sample *s, size_t *size)
{
	const uint32_t headers = s->size + s->ignored;
	uint8_t *file;

	*size = headers + DATA_PAGES * 4096u;
	file = calloc(1, *size);
	assert_non_null(file);
	memcpy(file, s->headers, s->size);
	memcpy(file, "IGVM", 4);
	set32(file + 4, s->fixed == 24 ? 1 : 2);
	set32(file + 8, s->fixed);
	if (s->ignored) {
		set32(file + s->size, 0x80000399);
		set32(file + s->size + 4, s->ignored - 8);
	}
	set32(file + 12, headers - s->fixed);
	set32(file + 16, (uint32_t)*size);
	set32(file + 20, 0);
	set32(file + 20, core_crc32(0, file, headers));
	for (size_t i = headers; i < *size; i++)
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

#define GOOD_DIRECTIVES 26u
#define GOOD_HEADERS 1504u

/* One of everything that the reader yields, for the second of three platforms. */
static void make_good(struct sample *s)
{
	static const uint32_t parameters[] = { 0x307, 0x308, 0x309, 0x30a, 0x30c,
					       0x30e, 0x30f, 0x310, 0x312, 0x313 };

	start(s);
	put_platform(s, 4, 0);
	put_platform(s, 1, 2);
	put_platform(s, 2, 3);
	put_policy(s);
	begin(s, 0x107, 5);
	put64(s, 0x302e312e31); /* 1.1.0 */
	put_relocatable(s, 0x1000, 0x200000, 0x200000);
	put_page_tables(s, 0x100000, 0x3000, 0x2000);
	put_required(s, 0x1000000, 0x1000000);
	put_page(s, 0x200000, 0, 1, 0);
	put_page(s, 0x102000, GOOD_HEADERS, 0, 0);
	put_page(s, 0x100000, 0, 0, 1);
	put_page(s, 0x101000, GOOD_HEADERS, 0, 2);
	put_page(s, 0x103000, 0, 4, 0);
	put_page(s, 0x104000, 0, 2, 0);
	put_page(s, 0x105000, 0, 0, 3);
	put_area(s, 0x2000, 7, GOOD_HEADERS);
	put_area(s, 0x1000, 0, 0);
	for (unsigned int i = 0; i < 10; i++)
		put_parameter(s, parameters[i], i % 2 ? 7 : 0, 64 * i);
	put_insert(s, 0x110000, 0xffffffff, 7);
	put_insert(s, 0x112000, 1, 0);
	put_error_range(s, 0x113000, 0x2000);
	put_id_block(s, 1, 0);
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
	static const uint32_t order[GOOD_DIRECTIVES] = {
		0x102, 0x103, 0x305, 0x302, 0x302, 0x302, 0x302, 0x302, 0x302,
		0x302, 0x301, 0x301, 0x307, 0x308, 0x309, 0x30a, 0x30c, 0x30e,
		0x30f, 0x310, 0x312, 0x313, 0x303, 0x303, 0x30d, 0x30b,
	};
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
	assert_int_equal(igvm.platforms, 1u << 0 | 1u << 2 | 1u << 3);
	assert_int_equal(igvm.directive_count, GOOD_DIRECTIVES + 1);
	assert_int_equal(igvm.vp_count, 1);
	assert_int_equal(igvm.page_count, 512 + 5 + 3 + 1);
	for (unsigned int i = 0; i < GOOD_DIRECTIVES; i++) {
		assert_true(igvm_next(&igvm, &cursor, &d));
		assert_int_equal(d.type, order[i]);
		assert_int_equal(igvm_is_parameter(d.type), i >= 12 && i < 22);
		if (i == 0 || i == 3)
			assert_int_equal(d.size, 0x200000);
		if (i == 4 || i == 6 || i == 10 || i == 22)
			assert_ptr_equal(d.data, file + GOOD_HEADERS);
		else
			assert_null(d.data);
		if (i == 10)
			assert_int_equal(d.area.index, 7);
		if (i == 14) {
			assert_int_equal(d.parameter.area_index, 0);
			assert_int_equal(d.parameter.byte_offset, 128);
		}
		if (i == 22) {
			assert_int_equal(igvm_directive_gpa(&d), 0x110000);
			assert_int_equal(d.size, 0x2000);
			assert_int_equal(d.page_type, PSP_PAGE_TYPE_UNMEASURED);
		}
		if (i == 24)
			assert_int_equal(d.size, 0x2000);
	}
	assert_true(igvm_next(&igvm, &cursor, &d));
	assert_int_equal(d.vp_context.gpa, 0xfffffffff000);
	assert_int_equal(d.header_offset, s.at[s.count - 1]);
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
		for (unsigned int value = 0; value < 256; value += 17) {
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
					for (uint64_t at = 0; d.data && at < d.size; at += 4095)
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
		{ 4, 3, IGVM_ERR_MAGIC },
		{ 4, 2, IGVM_ERR_UNSUPPORTED }, /* what follows is no architecture */
		{ 8, 16, IGVM_ERR_FORMAT },
		{ 8, 28, IGVM_ERR_FORMAT },
		{ 8, 32, IGVM_ERR_CHECKSUM },
		{ 8, 0xfffffff8, IGVM_ERR_TRUNCATED },
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
	/* A type that the reader knows is read, whoever may ignore it. */
	start(&s);
	put_platform(&s, 1, 2);
	put_page(&s, 0x1000, 0, 0, 9);
	s.headers[48 + 3] = 0x80;
	assert_refused(&s, IGVM_ERR_UNKNOWN, 48, "page data type 9");
}

/* Opens a sample that must be right; the number of its directives. */
static uint32_t directives_of(const struct sample *s)
{
	struct igvm_error error;
	struct igvm_file igvm;
	size_t size;
	uint8_t *file = finish(s, &size);

	if (!igvm_open(&igvm, file, size, &error))
		fail_msg("%s", error.text);
	free(file);
	return igvm.directive_count;
}

static void test_version_2(void **state)
{
	struct sample s;

	(void)state;
	start_version_2(&s, 0, 4096);
	put_platform(&s, 1, 2);
	put_page(&s, 0x1000, 88, 0, 0);
	assert_int_equal(directives_of(&s), 1);
	s.headers[56 + 8 + 12] = 87; /* within the headers */
	assert_refused(&s, IGVM_ERR_TRUNCATED, 56, "outside the data section");
	start_version_2(&s, 1, 4096);
	put_platform(&s, 1, 2);
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 24, "architecture 1");
	start_version_2(&s, 0, 65536);
	put_platform(&s, 1, 2);
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 28, "65536");
}

/* A header counts when its mask has the platform's bit, whatever else it has. */
static void test_masks(void **state)
{
	static const struct {
		uint32_t mask, directives;
	} cases[] = { { 2, 1 }, { 3, 1 }, { 0xffffffff, 1 }, { 1, 0 }, { 4, 0 }, { 0, 0 } };
	struct sample s;

	(void)state;
	for (unsigned int i = 0; i < 6; i++) {
		start(&s);
		put_platform(&s, 1, 0);
		put_platform(&s, 2, 2);
		put_page(&s, 0x1000, 0, 0, 0);
		set32(s.headers + 72 + 8 + 8, cases[i].mask);
		assert_int_equal(directives_of(&s), cases[i].directives);
	}
	/* What another platform has twice, or as its own VP context, is its own affair. */
	start(&s);
	put_platform(&s, 1, 2);
	put_platform(&s, 2, 0);
	put_vp(&s, 0x5000, 0, 99);
	set32(s.headers + s.at[2] + 16, 2);
	put_page(&s, 0x5000, 0, 0, 0);
	put_page(&s, 0x5000, 0, 0, 0);
	set32(s.headers + s.at[4] + 16, 2);
	assert_int_equal(directives_of(&s), 1);
	start(&s);
	put_platform(&s, 1, 2);
	begin(&s, 0x106, 32);
	for (int i = 0; i < 4; i++)
		put64(&s, i == 0 ? 1 : 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 48, "CCA_POLICY for the platform SEV-SNP");
}

static void test_platform(void **state)
{
	struct sample s;

	(void)state;
	start(&s);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 24, "no SUPPORTED_PLATFORM");
	start(&s);
	put_page(&s, 0x1000, 0, 0, 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 24, "no SUPPORTED_PLATFORM");
	start(&s);
	put_platform(&s, 1, 3);
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 24,
		       "no platform SEV-SNP; the first one that is there: TDX");
	put_page(&s, 0x1000, 0, 0, 0);
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 24, "no platform SEV-SNP");
	start(&s);
	put_platform(&s, 1, 7);
	assert_refused(&s, IGVM_ERR_UNKNOWN, 24, "unknown platform type 7");
	start(&s);
	put_platform(&s, 1, 2);
	s.headers[24 + 8 + 4] = 1;
	assert_refused(&s, IGVM_ERR_FORMAT, 24, "highest VTL 1");
	start(&s);
	put_platform(&s, 1, 2);
	s.headers[24 + 8 + 6] = 2;
	assert_refused(&s, IGVM_ERR_FORMAT, 24, "platform version 2");
	/* vTOM alone is refused by name; beside it, the platform without is chosen. */
	start(&s);
	put_platform(&s, 1, 2);
	s.headers[24 + 8 + 13] = 0x80;
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 24,
		       "SEV-SNP is there with vTOM (0x800000000000) only");
	put_platform(&s, 2, 2);
	put_page(&s, 0x1000, 0, 0, 0);
	assert_int_equal(directives_of(&s), 0);
	start(&s);
	put_platform(&s, 1, 2);
	put_platform(&s, 2, 2);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 48, "second SUPPORTED_PLATFORM for SEV-SNP");
	start(&s);
	put_platform(&s, 3, 2);
	assert_refused(&s, IGVM_ERR_FORMAT, 24, "compatibility mask 0x3");
	start(&s);
	put_platform(&s, 0, 2);
	assert_refused(&s, IGVM_ERR_FORMAT, 24, "compatibility mask 0x0");
	start(&s);
	put_platform(&s, 1, 2);
	put_platform(&s, 1, 2);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 48,
		       "second SUPPORTED_PLATFORM with compatibility mask 0x1");
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
	one_page(&s, 0x1000, 0, 4, 1);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 48, "shared");
	one_page(&s, 0x200000, 0, 1, 2);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 48, "large");
	one_page(&s, 0x1000, 79, 0, 2);
	assert_refused(&s, IGVM_ERR_TRUNCATED, 48, "outside the data section");
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
	one_page(&s, 0x40000000000, 0, 0, 0);
	put_vp(&s, 0x40000000000, 112, 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 80, "0x40000000000");
	/* The host holds the VMSAs of all vCPUs by one address, which is no memory. */
	start(&s);
	put_platform(&s, 1, 2);
	put_vp(&s, 0xfffffffff000, 112, 0);
	put_vp(&s, 0xfffffffff000, 112, 1);
	assert_int_equal(directives_of(&s), 2);
	/* Pages of a parameter area and of an error range, also across windows of the search. */
	one_page(&s, 0x8000000, 0, 0, 0);
	put_area(&s, 0x2000, 1, 0);
	put_insert(&s, 0x7fff000, 1, 1);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 104, "0x8000000");
	one_page(&s, 0x8000000, 0, 0, 0);
	put_error_range(&s, 0x7fff000, 0x2000);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 80, "0x8000000");
	/* The last page of one window of the search and the first of the next are two. */
	one_page(&s, 0x7fff000, 0, 0, 0);
	put_page(&s, 0x8000000, 0, 0, 0);
	put_page(&s, 0x8000000, 0, 0, 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 112, "0x8000000");
}

/* The search looks at 128 MiB at a time, 1024 times at most. Each range here is in two of these. */
static void test_pages_scattered(void **state)
{
	struct sample s;

	(void)state;
	start(&s);
	put_platform(&s, 1, 2);
	for (uint64_t i = 0; i < 512; i++)
		put_error_range(&s, ((2 * i + 1) << 27) - 4096, 8192);
	assert_int_equal(directives_of(&s), 512);
	put_page(&s, 1024ull << 27, 0, 0, 0);
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 24, "more than 1024 ranges");
}

/* Each range is one more walk over all headers, so a file that is long and scattered is refused. */
static void test_long_and_scattered(void **state)
{
	struct sample s;

	(void)state;
	start(&s);
	put_platform(&s, 1, 2);
	for (uint64_t i = 0; i < 500; i++)
		put_error_range(&s, ((2 * i + 1) << 27) - 4096, 8192);
	s.ignored = 0x7e000;
	assert_int_equal(directives_of(&s), 500);
	s.ignored = 0x84000;
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 24, "headers for pages in more than");
}

static void test_parameters(void **state)
{
	struct sample s;

	(void)state;
	start(&s);
	put_platform(&s, 1, 2);
	put_area(&s, 0x1800, 0, 0);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "PARAMETER_AREA of 6144 bytes is not whole pages");
	start(&s);
	put_platform(&s, 1, 2);
	put_area(&s, 0, 0, 0);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "not whole pages");
	start(&s);
	put_platform(&s, 1, 2);
	put_area(&s, 0x1001000, 0, 0);
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 48, "PARAMETER_AREA of more than 16777216 bytes");
	start(&s);
	put_platform(&s, 1, 2);
	put_area(&s, 0x3000, 0, 72);
	assert_refused(&s, IGVM_ERR_TRUNCATED, 48, "file data at 0x48, 12288 bytes");
	start(&s);
	put_platform(&s, 1, 2);
	put_area(&s, 0x1000, 3, 0);
	put_area(&s, 0x1000, 3, 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 72, "a second PARAMETER_AREA 3");
	start(&s);
	put_platform(&s, 1, 2);
	put_insert(&s, 0x1000, 1, 3);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 48, "no PARAMETER_AREA 3 before it");
	start(&s);
	put_platform(&s, 1, 2);
	put_area(&s, 0x1000, 3, 0);
	put_insert(&s, 0x1800, 1, 3);
	assert_refused(&s, IGVM_ERR_FORMAT, 72, "0x1800 is unaligned");
	start(&s);
	put_platform(&s, 1, 2);
	put_area(&s, 0x2000, 3, 0);
	put_insert(&s, 0xffffffffff000, 1, 3);
	assert_refused(&s, IGVM_ERR_FORMAT, 72, "not a physical address");
	start(&s);
	put_platform(&s, 1, 2);
	put_area(&s, 0x1000, 3, 0);
	put_parameter(&s, 0x307, 3, 0x1000);
	assert_refused(&s, IGVM_ERR_FORMAT, 72, "byte offset 4096 is outside PARAMETER_AREA 3");
	start(&s);
	put_platform(&s, 1, 2);
	put_parameter(&s, 0x312, 3, 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 48, "no PARAMETER_AREA 3");
	/* An area that another platform has inserted is gone, too. */
	start(&s);
	put_platform(&s, 1, 2);
	put_area(&s, 0x1000, 3, 0);
	put_insert(&s, 0x1000, 2, 3);
	put_parameter(&s, 0x30c, 3, 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 96, "PARAMETER_AREA 3 is in the guest already");
	start(&s);
	put_platform(&s, 1, 2);
	for (uint32_t i = 0; i < 65; i++)
		put_area(&s, 0x1000, i, 0);
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 48 + 64 * 24, "more than 64 PARAMETER_AREAs");
}

static void test_other_ranges(void **state)
{
	struct sample s;

	(void)state;
	start(&s);
	put_platform(&s, 1, 2);
	put_error_range(&s, 0x1000, 0x800);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "ERROR_RANGE of 2048 bytes");
	start(&s);
	put_platform(&s, 1, 2);
	put_error_range(&s, 0x1000, 0x2000000);
	assert_refused(&s, IGVM_ERR_UNSUPPORTED, 48, "ERROR_RANGE of more");
	start(&s);
	put_platform(&s, 1, 2);
	put_relocatable(&s, 0, 0x1000, 0x1000);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "alignment of RELOCATABLE_REGION");
	start(&s);
	put_platform(&s, 1, 2);
	put_relocatable(&s, 0x2000, 0x1000, 0x1000);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "address of RELOCATABLE_REGION");
	start(&s);
	put_platform(&s, 1, 2);
	put_relocatable(&s, 0x1000, 0x1000, 0x1800);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "RELOCATABLE_REGION of 6144 bytes");
	start(&s);
	put_platform(&s, 1, 2);
	put_relocatable(&s, 0x1000, 0x1000, 0x1000);
	s.headers[48 + 8 + 7] = 8;
	assert_refused(&s, IGVM_ERR_UNKNOWN, 48, "flags 0x8 of RELOCATABLE_REGION");
	start(&s);
	put_platform(&s, 1, 2);
	put_page_tables(&s, 0x1000, 0x2000, 0x3000);
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "uses more than it has");
	start(&s);
	put_platform(&s, 1, 2);
	put_page_tables(&s, 0x1000, 0x2000, 0x1000);
	put_page_tables(&s, 0x4000, 0x2000, 0x1000);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 88, "second PAGE_TABLE_RELOCATION_REGION");
	start(&s);
	put_platform(&s, 1, 2);
	put_page_tables(&s, 0x1000, 0x2000, 0x1000);
	s.headers[48 + 8 + 7] = 1;
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "reserved");
	start(&s);
	put_platform(&s, 1, 2);
	put_required(&s, 0x1000, 0x1000);
	s.headers[48 + 8 + 16] = 1; /* may be protected by VTL2: says nothing to this loader */
	assert_int_equal(directives_of(&s), 1);
	s.headers[48 + 8 + 16] = 2;
	assert_refused(&s, IGVM_ERR_UNKNOWN, 48, "flags 0x2 of REQUIRED_MEMORY");
	s.headers[48 + 8 + 16] = 0;
	s.headers[48 + 8 + 20] = 1;
	assert_refused(&s, IGVM_ERR_FORMAT, 48, "reserved");
}

/* Headers that say something to other loaders, or to people. */
static void test_passed_over(void **state)
{
	struct sample s;

	(void)state;
	start(&s);
	put_platform(&s, 1, 2);
	begin(&s, 0x107, 0);
	begin(&s, 0x107, 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 56, "second VERSION_STRING");
	for (unsigned int i = 0; i < 3; i++) {
		start(&s);
		put_platform(&s, 1, 2);
		begin(&s, 0x104, 16); /* CoRIM document, then its signature */
		put(&s, 1, 4);
		put(&s, 48 + 48, 4);
		put(&s, i == 1 ? 0x2001 : 0x2000, 4);
		put(&s, i == 2, 4);
		begin(&s, 0x105, 16);
		put(&s, 1, 4);
		put(&s, 48 + 48, 4);
		put64(&s, 16);
		if (i == 0)
			assert_int_equal(directives_of(&s), 0);
		if (i == 1)
			assert_refused(&s, IGVM_ERR_TRUNCATED, 48, "outside the data section");
		if (i == 2)
			assert_refused(&s, IGVM_ERR_FORMAT, 48, "reserved");
	}
	for (unsigned int i = 0; i < 3; i++) {
		start(&s);
		put_platform(&s, 1, 2);
		put_platform(&s, 2, 6);
		begin(&s, 0x106, 32);
		put64(&s, i == 1 ? 1ull << 32 | 2 : 2);
		put64(&s, 3);
		put64(&s, i == 2 ? 1 : 0);
		put64(&s, 0);
		if (i == 0)
			assert_int_equal(directives_of(&s), 0);
		else
			assert_refused(&s, IGVM_ERR_FORMAT, 72,
				       i == 1 ? "reserved" : "both 0 and 1");
	}
	start(&s);
	put_platform(&s, 1, 2);
	begin(&s, 0x311, 864);
	for (unsigned int i = 0; i < 864 / 8; i++)
		put64(&s, i == 0 ? 1 : 0);
	assert_int_equal(directives_of(&s), 0);
}

static void test_id_block(void **state)
{
	static const struct {
		uint32_t offset, value;
		const char *text;
	} cases[] = {
		{ 5, 1, "reserved" },
		{ 4, 2, "neither 0 nor 1" },
		{ 100, 2, "not enabled" },
		{ 400, 1, "not enabled" },
		{ 548, 1, "reserved" },
		{ 544, 2, "not enabled" },
		{ 104 + 144 + 4, 1, "reserved" },
	};
	struct sample s;

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start(&s);
		put_platform(&s, 1, 2);
		put_id_block(&s, 1, 0);
		s.headers[48 + 8 + cases[i].offset] = (uint8_t)cases[i].value;
		assert_refused(&s, IGVM_ERR_FORMAT, 48, cases[i].text);
	}
	start(&s);
	put_platform(&s, 1, 2);
	put_id_block(&s, 1, 1);
	put_id_block(&s, 2, 1); /* another platform's */
	assert_int_equal(directives_of(&s), 1);
	put_id_block(&s, 1, 0);
	assert_refused(&s, IGVM_ERR_CONTRADICTION, 48 + 2 * 704, "second SNP_ID_BLOCK");
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(igvm_type_name(0x30e), "COMMAND_LINE");
	assert_string_equal(igvm_type_name(0x80000313), "ENVIRONMENT_INFO_PARAMETER");
	assert_null(igvm_type_name(0x306));
	assert_string_equal(igvm_platform_name(5), "SEV-ES");
	assert_null(igvm_platform_name(7));
	assert_false(igvm_is_parameter(0x302));
	assert_false(igvm_is_parameter(0x306));
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
		cmocka_unit_test(test_version_2),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_other_ranges),
		cmocka_unit_test(test_passed_over),
		cmocka_unit_test(test_id_block),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_page_data),
		cmocka_unit_test(test_vp_context_and_memory),
		cmocka_unit_test(test_pages_twice),
		cmocka_unit_test(test_pages_scattered),
		cmocka_unit_test(test_long_and_scattered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
