/* SPDX-License-Identifier: MIT */
/*
 * What is handed to liblzma, and what is taken of it: files that xz 5.4 made, with what it was
 * given again; each of their bits changed, each of their ends cut, and streams of chance.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/image/host/unlzma.h"

#define TEXT_SIZE 400u
#define HEAD_SIZE 13u
#define STREAMS 20000u
#define STREAM_SIZE 300u
#define UNPACKED_MAX 4096u

/*
 * Of what make_text() makes, with the usual properties (3, 0, 2), and with 0, 2, 0; the size is
 * written in.
 */
static const uint8_t usual[] = {
	0x5d, 0x00, 0x00, 0x01, 0x00, 0x90, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x30,
	0x98, 0xc8, 0x5e, 0xab, 0xe4, 0x81, 0x66, 0xa7, 0xde, 0x2a, 0xc7, 0x3b, 0xf5, 0x1a, 0x7b,
	0x45, 0x98, 0x9b, 0xd8, 0x4c, 0x13, 0x0c, 0xe4, 0x93, 0xad, 0x9f, 0xf3, 0x95, 0x81, 0x40,
	0xc0, 0x6a, 0xf5, 0xb2, 0xbf, 0x3b, 0x05, 0xcd, 0x87, 0x8a, 0xb1, 0x3d, 0xb2, 0xed, 0xe9,
	0x27, 0xed, 0x07, 0x99, 0x94, 0x64, 0x09, 0xb8, 0x56, 0x59, 0xbc, 0x8e, 0x4a, 0x59, 0xbb,
	0x5e, 0xf8, 0x2a, 0x83, 0xa6, 0xa8, 0xf7, 0xcc, 0xaa, 0xb6, 0xca, 0x6e, 0x46, 0xbd, 0x7f,
	0x9d, 0x1a, 0x18, 0x91, 0x61, 0x8b, 0x91, 0x5f, 0x0d, 0xe9, 0x73, 0x36, 0x42, 0x68, 0x22,
	0x91, 0xc0, 0x15, 0x33, 0x4f, 0xca, 0x40, 0x9c, 0x62, 0xb7, 0x61, 0x3c, 0x33, 0xc3, 0xdf,
	0x6b, 0xe6, 0xf5, 0xad, 0xe5, 0x3b, 0x77, 0x13, 0x3f, 0xff, 0x24, 0x77, 0x9d, 0x00,
};

static const uint8_t by_place[] = {
	0x12, 0x00, 0x00, 0x01, 0x00, 0x90, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x30,
	0x99, 0x8f, 0x61, 0x63, 0x8c, 0x0a, 0x99, 0xb4, 0x21, 0x4e, 0xd9, 0xb0, 0x4c, 0x60, 0xbc,
	0x87, 0x9e, 0xad, 0x4c, 0xa3, 0x3d, 0x42, 0x8a, 0xe4, 0x7a, 0xfc, 0x0e, 0x6f, 0x5b, 0xf7,
	0xdb, 0x60, 0x4b, 0x10, 0x24, 0xeb, 0x57, 0x4c, 0x0e, 0x8f, 0x1c, 0x8c, 0xf0, 0x34, 0x9b,
	0x1c, 0xd9, 0x16, 0x31, 0x1a, 0xb1, 0x74, 0x90, 0xb3, 0xd6, 0xda, 0xc9, 0xc9, 0x53, 0x77,
	0x3e, 0xf8, 0x65, 0xf8, 0xcd, 0x60, 0x68, 0xb4, 0xcc, 0xdf, 0x70, 0x44, 0x9c, 0x1f, 0xa9,
	0xc5, 0xd6, 0x88, 0x0c, 0x5d, 0xa0, 0x4c, 0xd2, 0x6b, 0x78, 0x02, 0xfb, 0xa3, 0x34, 0x1c,
	0xe7, 0xc3, 0xf1, 0x59, 0x77, 0xe0, 0xf3, 0xc8, 0x3d, 0x9c, 0x36, 0x11, 0xac, 0x6a, 0xf4,
	0x31, 0xb4, 0x6f, 0x22, 0x80, 0x2c, 0x1f, 0x92, 0xc6, 0x3f, 0xfd, 0x26, 0x20, 0xd6,
};

static uint32_t chance(uint32_t *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state;
}

/* Letters, bytes of chance, and repetitions of both. */
static void make_text(uint8_t text[TEXT_SIZE])
{
	uint32_t x = 1;
	size_t size = 0;

	while (size < TEXT_SIZE) {
		chance(&x);
		if ((x >> 16) % 7 == 0 && size > 40) {
			const size_t back = 1 + (x >> 8) % size;

			for (uint32_t i = 0; i < 3 + (x >> 20) % 30 && size < TEXT_SIZE;
			     i++, size++)
				text[size] = text[size - back];
		} else {
			text[size++] = (uint8_t)((x >> 16) % 7 == 1 ? x >> 24 : 97 + (x >> 27) % 4);
		}
	}
}

static void check_good(const uint8_t *packed, size_t size)
{
	uint8_t text[TEXT_SIZE];
	struct host_error error;
	struct file_bytes bytes;

	make_text(text);
	assert_true(unlzma(packed, size, TEXT_SIZE, &bytes, &error));
	assert_int_equal(bytes.size, sizeof(text));
	assert_memory_equal(bytes.data, text, sizeof(text));
	file_free(&bytes);
	assert_false(unlzma(packed, size, TEXT_SIZE - 1, &bytes, &error));
	assert_string_equal(error.text, "it is empty, does not say its length, or is too large");
	for (size_t cut = 0; cut < size; cut++)
		assert_false(unlzma(packed, cut, TEXT_SIZE, &bytes, &error));
}

static void test_good(void **state)
{
	(void)state;
	check_good(usual, sizeof(usual));
	check_good(by_place, sizeof(by_place));
}

/* Not all are seen, for the format has no sum; but few go unseen, and none does any harm. */
static void test_changed(void **state)
{
	uint8_t packed[sizeof(usual)], text[TEXT_SIZE];
	unsigned int unseen = 0;

	(void)state;
	make_text(text);
	for (size_t bit = 0; bit < 8 * sizeof(usual); bit++) {
		struct host_error error;
		struct file_bytes bytes;

		memcpy(packed, usual, sizeof(usual));
		packed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (!unlzma(packed, sizeof(packed), TEXT_SIZE, &bytes, &error))
			continue;
		unseen++;
		file_free(&bytes);
	}
	assert_in_range(unseen, 0, 8 * sizeof(usual) / 10);
}

static void test_chance(void **state)
{
	uint8_t stream[HEAD_SIZE + STREAM_SIZE] = { 0 };
	uint32_t x = 7;

	(void)state;
	for (unsigned int i = 0; i < STREAMS; i++) {
		const size_t unpacked = chance(&x) >> 16 & (UNPACKED_MAX - 1);
		struct host_error error;
		struct file_bytes bytes;

		stream[0] = (uint8_t)((chance(&x) >> 16) % 225);
		stream[5] = (uint8_t)unpacked;
		stream[6] = (uint8_t)(unpacked >> 8);
		for (size_t k = HEAD_SIZE; k < sizeof(stream); k++)
			stream[k] = (uint8_t)(chance(&x) >> 16);
		stream[HEAD_SIZE] = 0;
		if (unlzma(stream, sizeof(stream), UNPACKED_MAX, &bytes, &error))
			file_free(&bytes);
	}
}

static void test_head(void **state)
{
	uint8_t packed[sizeof(usual)];
	struct host_error error;
	struct file_bytes bytes;
	static const struct {
		size_t at;
		uint8_t value;
		const char *why;
	} cases[] = {
		{ 0, 225, "it is no whole LZMA file" },
		{ 12, 0xff, "it is empty, does not say its length, or is too large" },
		{ 13, 1, "it is no whole LZMA file" },
		{ 5, (TEXT_SIZE & 0xff) + 1, "it is no whole LZMA file" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(packed, usual, sizeof(usual));
		packed[cases[i].at] = cases[i].value;
		assert_false(unlzma(packed, sizeof(packed), 2 * TEXT_SIZE, &bytes, &error));
		assert_string_equal(error.text, cases[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_chance),
		cmocka_unit_test(test_head),
	};

	return cmocka_run_group_tests_name("unlzma", tests, NULL, NULL);
}
