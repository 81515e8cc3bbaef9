/* SPDX-License-Identifier: MIT */
/* Words of one line of a configuration file, in place; '#' starts a comment. */
#ifndef SOCLE_CORE_BASE_CONF_WORDS_H
#define SOCLE_CORE_BASE_CONF_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct word {
	const char *at;
	size_t length; /* 0: the line has ended */
};

struct words {
	const char *at, *end;
};

/* The next word of the line. */
struct word words_next(struct words *line);

/* The end of the line that starts at text: its '\n', or end. */
const char *words_line_end(const char *text, const char *end);

bool word_is(struct word word, const char *text);

/* A name of a-z, 0-9 and '-', at most size - 1 long, with a NUL. NULL, or what is wrong with it. */
const char *word_name(struct word word, char *name, size_t size);

/* A number: decimal, or hexadecimal after 0x, at most max. */
bool word_number(struct word word, uint32_t max, uint32_t *value);

/*
 * Appends bytes in lower-case hexadecimal, or for "zeros:N" N zero bytes, to data, which holds
 * *size of at most max. NULL, or what is wrong.
 */
const char *word_bytes(struct word word, uint8_t *data, size_t max, size_t *size);

#endif
