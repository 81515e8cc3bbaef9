/* SPDX-License-Identifier: MIT */
/* Bytes as hexadecimal digits, two for each, the high one first. */
#ifndef SOCLE_CORE_BASE_HEX_H
#define SOCLE_CORE_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>

/* Room for the text of size bytes and its NUL. */
#define HEX_TEXT_SIZE(size) (2 * (size) + 1)

/* The value of a digit, in either case of letters; -1 for another character. */
int hex_digit(char c);

/*
 * Reads exactly size bytes, in either case of letters. False, with bytes undefined, for other text.
 */
bool hex_read(const char *text, void *bytes, size_t size);

/* Writes them in lower case, with a NUL; text has room for HEX_TEXT_SIZE(size). */
void hex_write(char *text, const void *bytes, size_t size);

#endif
