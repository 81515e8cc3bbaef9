/* SPDX-License-Identifier: MIT */
#include "core/base/conf_words.h"

#include <string.h>

#include "core/base/hex.h"
#include "core/base/number.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

struct word words_next(struct words *line)
{
	struct word word;

	while (line->at < line->end && is_space(*line->at))
		line->at++;
	if (line->at < line->end && *line->at == '#')
		line->at = line->end;
	word.at = line->at;
	while (line->at < line->end && !is_space(*line->at))
		line->at++;
	word.length = (size_t)(line->at - word.at);
	return word;
}

const char *words_line_end(const char *text, const char *end)
{
	while (text < end && *text != '\n')
		text++;
	return text;
}

bool word_is(struct word word, const char *text)
{
	return word.length == strlen(text) && memcmp(word.at, text, word.length) == 0;
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

const char *word_name(struct word word, char *name, size_t size)
{
	if (word.length == 0)
		return "a name is missing";
	if (word.length >= size)
		return "the name is too long";
	for (size_t i = 0; i < word.length; i++) {
		if (!name_char(word.at[i]))
			return "a name has only a-z, 0-9 and -";
	}
	memcpy(name, word.at, word.length);
	name[word.length] = '\0';
	return NULL;
}

bool word_number(struct word word, uint32_t max, uint32_t *value)
{
	uint64_t number;

	if (!number_read(word.at, word.length, NUMBER_PREFIXED, 0, max, &number))
		return false;
	*value = (uint32_t)number;
	return true;
}

static int lower_digit(char c)
{
	return c >= 'A' && c <= 'F' ? -1 : hex_digit(c);
}

static const char *append_hex(struct word word, uint8_t *data, size_t max, size_t *size)
{
	if (word.length % 2)
		return "hexadecimal digits come in pairs";
	for (size_t i = 0; i < word.length; i += 2) {
		int high = lower_digit(word.at[i]), low = lower_digit(word.at[i + 1]);

		if (high < 0 || low < 0)
			return "bytes are in lower-case hexadecimal";
		if (*size == max)
			return "too many bytes";
		data[(*size)++] = (uint8_t)(high << 4 | low);
	}
	return NULL;
}

const char *word_bytes(struct word word, uint8_t *data, size_t max, size_t *size)
{
	static const char zeros[] = "zeros:";
	const size_t prefix = sizeof(zeros) - 1;
	struct word count = { word.at + prefix, word.length - prefix };
	uint32_t n;

	if (word.length < prefix || memcmp(word.at, zeros, prefix) != 0)
		return append_hex(word, data, max, size);
	if (!word_number(count, UINT16_MAX, &n))
		return "zeros: wants a number of bytes";
	if (n > max - *size)
		return "too many bytes";
	memset(data + *size, 0, n);
	*size += n;
	return NULL;
}
