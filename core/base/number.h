/* SPDX-License-Identifier: MIT */
/* Numbers in text: no sign, no blanks, and no leading zeros, which others take for octal. */
#ifndef SOCLE_CORE_BASE_NUMBER_H
#define SOCLE_CORE_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum number_form {
	NUMBER_DECIMAL,
	NUMBER_PREFIXED, /* decimal, or hexadecimal after 0x, in either case of letters */
};

/* What may stand behind a number, and what it is multiplied with. */
struct number_unit {
	const char *name;
	uint64_t factor;
};

/* The number that text starts with. Its length; 0 when there is none, or it has over 64 bits. */
size_t number_at(const char *text, size_t size, enum number_form form, uint64_t *value);

/* True when all of text is a number from min to max. */
bool number_read(const char *text, size_t size, enum number_form form, uint64_t min, uint64_t max,
		 uint64_t *value);

/* True when text is a number and one of the count units, and value has room for the product. */
bool number_read_unit(const char *text, size_t size, enum number_form form,
		      const struct number_unit *units, size_t count, uint64_t *value);

#endif
