/* SPDX-License-Identifier: MIT */
#include "tools/vtpm/profile_text.h"

#include <string.h>

#include "core/base/conf_words.h"

#define SHOWN_MAX 80u /* of a line, in a message */

/* A text, and the line of it that comes next. */
struct reader {
	const char *at, *end;
	unsigned int number; /* of the line that was read last, from 1 */
};

/* The next line that says something; false at the end of the text. */
static bool next_line(struct reader *reader, struct words *line)
{
	while (reader->at < reader->end) {
		struct words words = { reader->at, words_line_end(reader->at, reader->end) };

		reader->at = words.end < reader->end ? words.end + 1 : words.end;
		reader->number++;
		*line = words;
		if (words_next(&words).length)
			return true;
	}
	return false;
}

static bool same_words(struct words a, struct words b)
{
	for (;;) {
		struct word x = words_next(&a), y = words_next(&b);

		if (x.length != y.length || memcmp(x.at, y.at, x.length) != 0)
			return false;
		if (x.length == 0)
			return true;
	}
}

/* A line as it is shown: without the space before it, and not all of a long one. */
struct shown {
	const char *at;
	int length;
};

static struct shown show(const struct words *line)
{
	struct words words = *line;
	const char *at = words_next(&words).at;
	size_t length = (size_t)(line->end - at);

	return (struct shown){ at, (int)(length < SHOWN_MAX ? length : SHOWN_MAX) };
}

static bool differ(const struct reader *reader, const struct words *old_line,
		   const struct words *new_line, struct host_error *difference)
{
	struct shown was = { "", 0 }, is = { "", 0 };

	if (old_line)
		was = show(old_line);
	if (new_line)
		is = show(new_line);
	if (!new_line)
		return host_fail(difference, "it has \"%.*s\" at its end, too", was.length, was.at);
	if (!old_line)
		return host_fail(difference, "line %u, \"%.*s\", is new", reader->number, is.length,
				 is.at);
	return host_fail(difference, "line %u was \"%.*s\", and is \"%.*s\"", reader->number,
			 was.length, was.at, is.length, is.at);
}

bool profile_text_same(const char *old_text, size_t old_size, const char *new_text, size_t new_size,
		       struct host_error *difference)
{
	struct reader old_reader = { old_text, old_text + old_size, 0 },
		      new_reader = { new_text, new_text + new_size, 0 };

	for (;;) {
		struct words old_line, new_line;
		bool has_old = next_line(&old_reader, &old_line),
		     has_new = next_line(&new_reader, &new_line);

		if (!has_old && !has_new)
			return true;
		if (!has_old || !has_new || !same_words(old_line, new_line))
			return differ(&new_reader, has_old ? &old_line : NULL,
				      has_new ? &new_line : NULL, difference);
	}
}
