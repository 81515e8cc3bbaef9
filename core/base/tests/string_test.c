/* SPDX-License-Identifier: MIT */
/*
 * The freestanding string functions, under other names (meson.build) so that the C library's are
 * there to compare with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

void *string_memcpy(void *restrict to, const void *restrict from, size_t size);
void *string_memset(void *to, int value, size_t size);
void *string_memmove(void *to, const void *from, size_t size);
int string_memcmp(const void *a, const void *b, size_t size);

#define SIZE 96u
#define SIZES_MAX 40u
#define OFFSETS 9u

static void fill(uint8_t bytes[SIZE])
{
	for (unsigned int i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 37 + 1);
}

/* Every length around words, at every alignment; what lies beside is untouched. */
static void copies_and_sets(void **state)
{
	uint8_t from[SIZE], got[SIZE], want[SIZE];

	(void)state;
	fill(from);
	for (unsigned int at = 0; at < OFFSETS; at++) {
		for (unsigned int size = 0; size < SIZES_MAX; size++) {
			memset(got, 0xee, SIZE);
			memset(want, 0xee, SIZE);
			memcpy(want + at, from + 3, size);
			assert_ptr_equal(string_memcpy(got + at, from + 3, size), got + at);
			assert_memory_equal(got, want, SIZE);
			/* NOLINTNEXTLINE(bugprone-suspicious-memset-usage): its low byte. */
			memset(want + at, 0x1c3, size);
			assert_ptr_equal(string_memset(got + at, 0x1c3, size), got + at);
			assert_memory_equal(got, want, SIZE);
		}
	}
}

/* Overlapping in both directions, by less than a word too. */
static void moves(void **state)
{
	uint8_t got[SIZE], want[SIZE];

	(void)state;
	for (unsigned int from = 0; from < 20; from++) {
		for (unsigned int to = 0; to < 20; to++) {
			fill(got);
			fill(want);
			memmove(want + to, want + from, SIZES_MAX);
			assert_ptr_equal(string_memmove(got + to, got + from, SIZES_MAX), got + to);
			assert_memory_equal(got, want, SIZE);
		}
	}
}

static void compares(void **state)
{
	uint8_t a[SIZE], b[SIZE];

	(void)state;
	fill(a);
	fill(b);
	assert_int_equal(string_memcmp(a, b, SIZE), 0);
	for (unsigned int i = 0; i < SIZE; i++) {
		b[i] = (uint8_t)(a[i] ^ 0x80);
		assert_int_equal(string_memcmp(a, b, i), 0);
		assert_int_equal(string_memcmp(a, b, SIZE) < 0, a[i] < b[i]);
		b[i] = a[i];
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_and_sets),
		cmocka_unit_test(moves),
		cmocka_unit_test(compares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
