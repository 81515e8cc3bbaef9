/* SPDX-License-Identifier: MIT */
/* The archive reader over good, cut and broken archives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/image/archive.h"

#define MODE_FILE 0100644u
#define MODE_FOLDER 0040755u

struct builder {
	uint8_t bytes[32768];
	size_t size;
};

static void pad(struct builder *b)
{
	while (b->size % 4)
		b->bytes[b->size++] = 0;
}

static void add(struct builder *b, const char *name, size_t name_size, uint32_t mode,
		const void *data, size_t size)
{
	char header[ARCHIVE_HEADER_SIZE + 1];

	snprintf(header, sizeof(header),
		 "070701%08X%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 0xabu, mode, 0, 0, 1,
		 0, (uint32_t)size, 0, 0, 0, 0, (uint32_t)name_size, 0);
	memcpy(b->bytes + b->size, header, ARCHIVE_HEADER_SIZE);
	b->size += ARCHIVE_HEADER_SIZE;
	memset(b->bytes + b->size, 0, name_size);
	memcpy(b->bytes + b->size, name, strlen(name));
	b->size += name_size;
	pad(b);
	memcpy(b->bytes + b->size, data, size);
	b->size += size;
	pad(b);
}

static void add_file(struct builder *b, const char *name, const char *text)
{
	add(b, name, strlen(name) + 1, MODE_FILE, text, strlen(text));
}

static void end(struct builder *b)
{
	add(b, ARCHIVE_TRAILER, sizeof(ARCHIVE_TRAILER), 0, "", 0);
}

/* Finds in a copy of exactly the given size, so that the sanitizer sees every step too far. */
static enum archive_result find(const void *data, size_t size, const char *name, char *text)
{
	struct archive_entry entry = { 0 };
	enum archive_result result;
	uint8_t *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	memcpy(copy, data, size);
	result = archive_find(copy, size, name, &entry);
	if (result == ARCHIVE_ENTRY) {
		memcpy(text, entry.data, entry.size);
		text[entry.size] = 0;
	}
	free(copy);
	return result;
}

static struct builder good;

static int make_good(void **state)
{
	(void)state;
	memset(&good, 0, sizeof(good));
	add(&good, "folder", 7, MODE_FOLDER, "", 0);
	add_file(&good, "a", "first");
	add_file(&good, "folder/b", "");
	add(&good, "padded", 4000, MODE_FILE, "third", 5);
	end(&good);
	return 0;
}

static void finds_files(void **state)
{
	char text[16];

	(void)state;
	assert_int_equal(find(good.bytes, good.size, "a", text), ARCHIVE_ENTRY);
	assert_string_equal(text, "first");
	assert_int_equal(find(good.bytes, good.size, "folder/b", text), ARCHIVE_ENTRY);
	assert_string_equal(text, "");
	assert_int_equal(find(good.bytes, good.size, "padded", text), ARCHIVE_ENTRY);
	assert_string_equal(text, "third");
	assert_int_equal(find(good.bytes, good.size, "b", text), ARCHIVE_END);
	assert_int_equal(find(good.bytes, good.size, "folder", text), ARCHIVE_END);
	assert_int_equal(find(good.bytes, good.size, ARCHIVE_TRAILER, text), ARCHIVE_END);
}

static void lists_in_order(void **state)
{
	static const char *const names[] = { "folder", "a", "folder/b", "padded" };
	struct archive archive = archive_init(good.bytes, good.size);
	struct archive_entry entry;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(archive_next(&archive, &entry), ARCHIVE_ENTRY);
		assert_string_equal(entry.name, names[i]);
		assert_int_equal(archive_is_file(&entry), i > 0);
	}
	assert_int_equal(archive_next(&archive, &entry), ARCHIVE_END);
	assert_int_equal(archive_next(&archive, &entry), ARCHIVE_END);
}

/* Without the whole trailer an archive is cut off, wherever that is; behind it nothing matters. */
static void refuses_every_cut(void **state)
{
	size_t trailer_end = good.size;
	char text[16];

	(void)state;
	/* The padding behind the trailer's name may be missing. */
	while (good.bytes[trailer_end - 2] == 0)
		trailer_end--;
	for (size_t size = 0; size < trailer_end; size++)
		assert_int_equal(find(good.bytes, size, "a", text), ARCHIVE_BAD);
	for (size_t size = good.size; size < good.size + 600; size++)
		assert_int_equal(find(good.bytes, size, "a", text), ARCHIVE_ENTRY);
}

static void refuses_doubles(void **state)
{
	struct builder b = { .size = 0 };
	char text[16];

	(void)state;
	add_file(&b, "a", "1");
	add_file(&b, "a", "2");
	add_file(&b, "b", "3");
	end(&b);
	assert_int_equal(find(b.bytes, b.size, "a", text), ARCHIVE_BAD);
	assert_int_equal(find(b.bytes, b.size, "b", text), ARCHIVE_ENTRY);
}

static void refuses_strange_names(void **state)
{
	struct builder b = { .size = 0 };
	char text[16];

	(void)state;
	add(&b, "", 1, MODE_FILE, "", 0); /* no name */
	end(&b);
	assert_int_equal(find(b.bytes, b.size, "a", text), ARCHIVE_BAD);
	b.size = 0;
	add(&b, "ab", 2, MODE_FILE, "", 0); /* no NUL */
	end(&b);
	assert_int_equal(find(b.bytes, b.size, "ab", text), ARCHIVE_BAD);
	b.size = 0;
	add(&b, "ab", 6, MODE_FILE, "", 0);
	b.bytes[ARCHIVE_HEADER_SIZE + 4] = 'c'; /* a second name behind the first */
	end(&b);
	assert_int_equal(find(b.bytes, b.size, "ab", text), ARCHIVE_BAD);
	b.size = 0;
	add(&b, "a", ARCHIVE_NAME_MAX + 1, MODE_FILE, "", 0);
	end(&b);
	assert_int_equal(find(b.bytes, b.size, "a", text), ARCHIVE_BAD);
}

/* Every header byte that is no digit, and lengths that lead outside. */
static void refuses_broken_headers(void **state)
{
	char text[16];
	size_t at = ARCHIVE_HEADER_SIZE;

	(void)state;
	for (size_t i = 0; i < at; i++) {
		uint8_t saved = good.bytes[i];

		good.bytes[i] = 'g';
		assert_int_equal(find(good.bytes, good.size, "a", text), ARCHIVE_BAD);
		good.bytes[i] = saved;
	}
	memcpy(good.bytes + 54, "ffffffff", 8); /* file size */
	assert_int_equal(find(good.bytes, good.size, "a", text), ARCHIVE_BAD);
	memcpy(good.bytes + 54, "00000000", 8);
	memcpy(good.bytes + 94, "ffffffff", 8); /* name size */
	assert_int_equal(find(good.bytes, good.size, "a", text), ARCHIVE_BAD);
	memcpy(good.bytes + 94, "00000000", 8);
	assert_int_equal(find(good.bytes, good.size, "a", text), ARCHIVE_BAD);
	memcpy(good.bytes + 94, "00000007", 8);
	assert_int_equal(find(good.bytes, good.size, "a", text), ARCHIVE_ENTRY);
	memcpy(good.bytes + 102, "00000001", 8); /* checksum: another format */
	assert_int_equal(find(good.bytes, good.size, "a", text), ARCHIVE_BAD);
}

static void stays_bad(void **state)
{
	struct archive archive = archive_init("070701", 6);
	struct archive_entry entry;

	(void)state;
	assert_int_equal(archive_next(&archive, &entry), ARCHIVE_BAD);
	assert_int_equal(archive_next(&archive, &entry), ARCHIVE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(finds_files, make_good),
		cmocka_unit_test_setup(lists_in_order, make_good),
		cmocka_unit_test_setup(refuses_every_cut, make_good),
		cmocka_unit_test(refuses_doubles),
		cmocka_unit_test(refuses_strange_names),
		cmocka_unit_test_setup(refuses_broken_headers, make_good),
		cmocka_unit_test(stays_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
