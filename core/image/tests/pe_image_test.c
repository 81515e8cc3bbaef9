/* SPDX-License-Identifier: MIT */
/*
 * The reader of PE files against one made by hand, whose hash is made by hand as well, and against
 * spoiled ones. What firmware measures of real files is compared in
 * tests/peers/measured_boot_test.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/image/host/pe_image.h"

#define PE 0x40u
#define OPTIONAL (PE + 24u)
#define SECTIONS (OPTIONAL + 112u + 8u * 5u)
#define HEADER 0x200u
#define SIZE 0x540u
#define SIGNATURES 0x40u

static void put(uint8_t *file, size_t at, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		file[at + i] = (uint8_t)(value >> 8 * i);
}

static void put_section(uint8_t *file, size_t at, const char *name, uint32_t size, uint32_t place,
			uint32_t file_size)
{
	memcpy(file + at, name, strlen(name));
	put(file, at + 8, size, 4);
	put(file, at + 16, file_size, 4);
	put(file, at + 20, place, 4);
}

/*
 * Two sections that stand in the file the other way round, something behind them, and signatures.
 */
static void make(uint8_t file[SIZE])
{
	for (size_t i = 0; i < SIZE; i++)
		file[i] = i < HEADER ? 0 : (uint8_t)(i * 7);
	memcpy(file, "MZ", 2);
	put(file, 0x3c, PE, 4);
	memcpy(file + PE, "PE\0", 4);
	put(file, PE + 6, 2, 2);
	put(file, PE + 20, SECTIONS - OPTIONAL, 2);
	put(file, OPTIONAL, 0x20b, 2);
	put(file, OPTIONAL + 60, HEADER, 4);
	put(file, OPTIONAL + 64, 0x12345678, 4);
	put(file, OPTIONAL + 108, 5, 4);
	put(file, OPTIONAL + 112 + 32, SIZE - SIGNATURES, 4);
	put(file, OPTIONAL + 112 + 36, SIGNATURES, 4);
	put_section(file, SECTIONS, ".linux", 0x1f0, 0x300, 0x200);
	put_section(file, SECTIONS + 40, ".osrel", 0x80, HEADER, 0x80);
}

static bool opens(const uint8_t *data, size_t size, struct pe_image *image,
		  struct host_error *error)
{
	/* On the heap, so that the sanitizer sees every byte beyond it. */
	uint8_t *copy = malloc(size ? size : 1);
	uint8_t digest[32];
	bool ok;

	assert_non_null(copy);
	memcpy(copy, data, size);
	ok = pe_image_open(image, copy, size, error);
	if (ok)
		assert_true(pe_image_digest(image, EVP_sha256(), digest));
	free(copy);
	return ok;
}

static void test_digest(void **state)
{
	uint8_t file[SIZE], stripped[SIZE], digest[32], wanted[32];
	struct host_error error;
	struct pe_image image;
	size_t n = 0;
	const struct {
		size_t from, to;
	} hashed[] = { { 0, OPTIONAL + 64 },
		       { OPTIONAL + 68, OPTIONAL + 112 + 32 },
		       { OPTIONAL + 112 + 40, HEADER },
		       { HEADER, HEADER + 0x80 },
		       { 0x300, 0x500 },
		       /* The rest by its size: header and sections have 0x480 bytes together. */
		       { 0x480, SIZE - SIGNATURES } };

	(void)state;
	make(file);
	assert_true(pe_image_open(&image, file, SIZE, &error));
	for (size_t i = 0; i < sizeof(hashed) / sizeof(hashed[0]); i++) {
		assert_true(n + hashed[i].to - hashed[i].from <= sizeof(stripped));
		memcpy(stripped + n, file + hashed[i].from, hashed[i].to - hashed[i].from);
		n += hashed[i].to - hashed[i].from;
	}
	EVP_Digest(stripped, n, wanted, NULL, EVP_sha256(), NULL);
	assert_true(pe_image_digest(&image, EVP_sha256(), digest));
	assert_memory_equal(digest, wanted, 32);
	/* What is not hashed changes nothing. */
	file[OPTIONAL + 64] ^= 1;
	file[SIZE - 1] ^= 1;
	assert_true(pe_image_digest(&image, EVP_sha256(), digest));
	assert_memory_equal(digest, wanted, 32);
	file[HEADER] ^= 1;
	assert_true(pe_image_digest(&image, EVP_sha256(), digest));
	assert_memory_not_equal(digest, wanted, 32);
}

static void test_sections(void **state)
{
	uint8_t file[SIZE];
	struct host_error error;
	struct pe_image image;

	(void)state;
	make(file);
	assert_true(pe_image_open(&image, file, SIZE, &error));
	assert_int_equal(image.section_count, 2);
	assert_int_equal(pe_image_section(&image, ".linux", NULL)->at, 0x300);
	assert_int_equal(pe_image_section(&image, ".linux", NULL)->size, 0x1f0);
	assert_int_equal(pe_image_section(&image, ".osrel", NULL)->size, 0x80);
	assert_null(pe_image_section(&image, ".initrd", NULL));
	memcpy(file + SECTIONS + 40, ".linux", 6);
	assert_true(pe_image_open(&image, file, SIZE, &error));
	assert_non_null(pe_image_section(&image, ".linux", NULL));
	assert_non_null(
		pe_image_section(&image, ".linux", pe_image_section(&image, ".linux", NULL)));
	assert_null(pe_image_section(&image, ".linux", &image.sections[1]));
	assert_false(image.sections[1].grows);
	file[SECTIONS + 9] =
		3; /* its size in memory, 0x300 and more: beyond the 0x200 of the file */
	assert_true(pe_image_open(&image, file, SIZE, &error));
	assert_true(image.sections[1].grows);
}

static void test_refused(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
		unsigned int bytes;
		const char *why;
	} spoiled[] = {
		{ 0, 'N', 1, "no PE file" },
		{ 0x3c, SIZE - 10, 4, "no PE file" },
		{ 0x3c, 0xffffffff, 4, "no PE file" },
		{ PE + 1, 'F', 1, "no PE file" },
		{ PE + 20, 0xffff, 2, "header of a wrong size" },
		{ PE + 20, 100, 2, "no optional header" },
		{ OPTIONAL, 0x107, 2, "no optional header" },
		{ OPTIONAL + 60, SIZE + 1, 4, "header of a wrong size" },
		{ OPTIONAL + 60, 8, 4, "header of a wrong size" },
		{ OPTIONAL + 108, 6, 4, "more directories" },
		{ OPTIONAL + 112 + 32, 0x400, 4, "not at the end" },
		{ OPTIONAL + 112 + 36, 0xffffffff, 4, "not at the end" },
		{ PE + 6, 97, 2, "more sections" },
		{ PE + 6, 90, 2, "more sections" },
		{ SECTIONS + 20, 0x100, 4, "a section in the header" },
		{ SECTIONS + 20, 0x240, 4, "in another one" },
		{ SECTIONS + 16, 0x400, 4, "beyond the file" },
		{ SECTIONS + 20, 0xfffffff0, 4, "beyond the file" },
	};
	uint8_t file[SIZE];
	struct host_error error;
	struct pe_image image;

	(void)state;
	for (size_t i = 0; i < sizeof(spoiled) / sizeof(spoiled[0]); i++) {
		make(file);
		put(file, spoiled[i].at, spoiled[i].value, spoiled[i].bytes);
		assert_false(opens(file, SIZE, &image, &error));
		if (!strstr(error.text, spoiled[i].why))
			fail_msg("%zu: \"%s\", not \"%s\"", i, error.text, spoiled[i].why);
	}
	/* The signatures end with the file, so nothing shorter is one. */
	make(file);
	for (size_t size = 0; size < SIZE; size++)
		assert_false(opens(file, size, &image, &error));
	assert_true(opens(file, SIZE, &image, &error));
	/* Any byte of the header may be anything. */
	for (size_t at = 0; at < HEADER; at++) {
		make(file);
		file[at] = 0xff;
		opens(file, SIZE, &image, &error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("pe_image", tests, NULL, NULL);
}
