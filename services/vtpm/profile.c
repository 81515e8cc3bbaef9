/* SPDX-License-Identifier: MIT */
#include "services/vtpm/profile.h"

#include <string.h>

/* One word of a line, in place. */
struct word {
	const char *at;
	size_t length;
};

struct line {
	const char *at;
	const char *end;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* The next word of the line; length 0 at its end or at a comment. */
static struct word next_word(struct line *line)
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

static bool word_is(struct word word, const char *text)
{
	return word.length == strlen(text) && memcmp(word.at, text, word.length) == 0;
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static const char *take_name(struct line *line, char name[PROFILE_NAME_MAX])
{
	struct word word = next_word(line);

	if (word.length == 0)
		return "a name is missing";
	if (word.length >= PROFILE_NAME_MAX)
		return "the name is too long";
	for (size_t i = 0; i < word.length; i++) {
		if (!name_char(word.at[i]))
			return "a name has only a-z, 0-9 and -";
	}
	memcpy(name, word.at, word.length);
	name[word.length] = '\0';
	return NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static const char *append_byte(struct profile_key *key, uint8_t byte)
{
	if (key->template_size == PROFILE_TEMPLATE_MAX)
		return "the template is too long";
	key->template[key->template_size++] = byte;
	return NULL;
}

static const char *append_hex(struct profile_key *key, struct word word)
{
	if (word.length % 2)
		return "hexadecimal digits come in pairs";
	for (size_t i = 0; i < word.length; i += 2) {
		int high = hex_digit(word.at[i]), low = hex_digit(word.at[i + 1]);
		const char *reason;

		if (high < 0 || low < 0)
			return "a template is in lower-case hexadecimal";
		reason = append_byte(key, (uint8_t)(high << 4 | low));
		if (reason)
			return reason;
	}
	return NULL;
}

/* "zeros:N" */
static const char *append_zeros(struct profile_key *key, struct word word)
{
	size_t count = 0;

	if (word.length < 7 || word.length > 9)
		return "zeros: wants a number of bytes";
	for (size_t i = 6; i < word.length; i++) {
		if (word.at[i] < '0' || word.at[i] > '9')
			return "zeros: wants a number of bytes";
		count = count * 10 + (size_t)(word.at[i] - '0');
	}
	for (; count > 0; count--) {
		const char *reason = append_byte(key, 0);

		if (reason)
			return reason;
	}
	return NULL;
}

static const char *parse_key(struct profile *profile, struct line *line)
{
	struct profile_key *key = &profile->keys[profile->key_count];
	const char *reason;
	struct word word;

	if (profile->key_count == PROFILE_KEYS_MAX)
		return "too many keys";
	*key = (struct profile_key){ 0 };
	reason = take_name(line, key->id);
	if (reason)
		return reason;
	if (profile_find_key(profile, key->id))
		return "this key was defined before";
	if (!word_is(next_word(line), "template"))
		return "template is missing";
	for (word = next_word(line); word.length && !reason; word = next_word(line)) {
		if (word.length > 6 && memcmp(word.at, "zeros:", 6) == 0)
			reason = append_zeros(key, word);
		else
			reason = append_hex(key, word);
	}
	if (reason)
		return reason;
	if (key->template_size == 0)
		return "the template is empty";
	profile->key_count++;
	return NULL;
}

static uint16_t bank_algorithm(struct word word)
{
	static const struct {
		const char *name;
		uint16_t id; /* TCG Algorithm Registry, table 3 */
	} algorithms[] = {
		{ "sha1", 0x0004 },
		{ "sha256", 0x000b },
		{ "sha384", 0x000c },
		{ "sha512", 0x000d },
	};

	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (word_is(word, algorithms[i].name))
			return algorithms[i].id;
	}
	return 0;
}

static const char *parse_banks(struct profile *profile, struct line *line)
{
	struct word word = next_word(line);

	if (profile->bank_count)
		return "pcr-banks was given before";
	if (!word.length)
		return "pcr-banks wants at least one algorithm";
	for (; word.length; word = next_word(line)) {
		uint16_t id = bank_algorithm(word);

		if (!id)
			return "unknown PCR bank";
		for (size_t i = 0; i < profile->bank_count; i++) {
			if (profile->banks[i] == id)
				return "this PCR bank was named before";
		}
		profile->banks[profile->bank_count++] = id;
	}
	return NULL;
}

static const char *parse_line(struct profile *profile, struct line *line)
{
	struct word keyword = next_word(line);
	const char *reason;

	if (!keyword.length)
		return NULL;
	if (word_is(keyword, "profile"))
		reason = profile->name[0] ? "the profile has a name already"
					  : take_name(line, profile->name);
	else if (word_is(keyword, "pcr-banks"))
		reason = parse_banks(profile, line);
	else if (word_is(keyword, "key"))
		reason = parse_key(profile, line);
	else
		return "unknown keyword";
	if (!reason && next_word(line).length)
		reason = "something follows where the line should end";
	return reason;
}

static const char *missing(const struct profile *profile)
{
	if (!profile->name[0])
		return "the profile has no name";
	if (!profile->bank_count)
		return "pcr-banks is missing";
	if (!profile->key_count)
		return "the profile has no key";
	return NULL;
}

bool profile_parse(struct profile *profile, const char *text, size_t size,
		   struct profile_error *error)
{
	const char *end = text + size;

	*profile = (struct profile){ 0 };
	error->line = 0;
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		struct line line = { text, stop ? stop : end };

		error->line++;
		error->reason = parse_line(profile, &line);
		if (error->reason)
			return false;
		text = line.end + 1;
	}
	error->reason = missing(profile);
	return !error->reason;
}

const struct profile_key *profile_find_key(const struct profile *profile, const char *id)
{
	for (size_t i = 0; i < profile->key_count; i++) {
		if (strcmp(profile->keys[i].id, id) == 0)
			return &profile->keys[i];
	}
	return NULL;
}
