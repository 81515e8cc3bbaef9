/* SPDX-License-Identifier: MIT */
#include "core/base/number.h"

#include <string.h>

#include "core/base/hex.h"

static size_t digits_at(const char *text, size_t size, unsigned int base, uint64_t *value)
{
	uint64_t sum = 0;
	size_t i = 0;

	for (; i < size; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0 || (unsigned int)digit >= base)
			break;
		if (__builtin_mul_overflow(sum, base, &sum) ||
		    __builtin_add_overflow(sum, (unsigned int)digit, &sum))
			return 0;
	}
	*value = sum;
	return i;
}

size_t number_at(const char *text, size_t size, enum number_form form, uint64_t *value)
{
	size_t length;

	if (form == NUMBER_PREFIXED && size > 2 && text[0] == '0' && text[1] == 'x') {
		length = digits_at(text + 2, size - 2, 16, value);
		return length ? length + 2 : 0;
	}
	length = digits_at(text, size, 10, value);
	return length > 1 && text[0] == '0' ? 0 : length;
}

bool number_read(const char *text, size_t size, enum number_form form, uint64_t min, uint64_t max,
		 uint64_t *value)
{
	return size > 0 && number_at(text, size, form, value) == size && *value >= min &&
	       *value <= max;
}

bool number_read_unit(const char *text, size_t size, enum number_form form,
		      const struct number_unit *units, size_t count, uint64_t *value)
{
	size_t length = number_at(text, size, form, value);

	for (size_t i = 0; length && i < count; i++) {
		if (strlen(units[i].name) == size - length &&
		    memcmp(text + length, units[i].name, size - length) == 0)
			return !__builtin_mul_overflow(*value, units[i].factor, value);
	}
	return false;
}
