/* SPDX-License-Identifier: MIT */
/*
 * The four functions that a freestanding compiler may call on its own (C17 4p6, GCC manual), and
 * the string functions that core/ and the monitor use. Never linked into hosted programs.
 */
#include <stdint.h>
#include <string.h>

/* By words first: an emulated CPU takes one step for each, whatever its size. */
void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	void *result = to;
	size_t words = size / sizeof(uint64_t), rest = size % sizeof(uint64_t);

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
	return result;
}

void *memset(void *to, int value, size_t size)
{
	void *result = to;
	size_t words = size / sizeof(uint64_t), rest = size % sizeof(uint64_t);
	uint64_t word = (uint8_t)value * 0x0101010101010101ull;

	__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(word) : "memory");
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(word) : "memory");
	return result;
}

/* The assembly in memset() is volatile, so no compiler takes this for useless. */
void explicit_bzero(void *to, size_t size)
{
	memset(to, 0, size);
}

void *memmove(void *to, const void *from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	if (t <= f || t >= f + size)
		return memcpy(to, from, size);
	while (size-- > 0)
		t[size] = f[size];
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < size; i++) {
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	}
	return 0;
}

size_t strlen(const char *s)
{
	size_t length = 0;

	while (s[length])
		length++;
	return length;
}

int strncmp(const char *a, const char *b, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char x = (unsigned char)a[i], y = (unsigned char)b[i];

		if (x != y)
			return x < y ? -1 : 1;
		if (!x)
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, (size_t)-1);
}
