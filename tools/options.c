/* SPDX-License-Identifier: MIT */
#include "tools/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "core/base/number.h"
#include "tools/cmd.h"

/* What getopt_long() calls an option: this and its index. Letters are below. */
#define FIRST_ID 256

static const struct option_row help_row = { .name = "help", .letter = 'h', .help = "print this" };

struct reader {
	const struct command *command;
	const char *path;
	char *arguments;
	bool seen[OPTIONS_MAX];
};

const struct option_row *options_at(const struct command *command, size_t index)
{
	for (const struct option_group *group = command->groups; group && group->rows; group++) {
		for (const struct option_row *row = group->rows; row->name; row++) {
			if (index-- == 0)
				return row;
		}
	}
	return index == 0 ? &help_row : NULL;
}

const char *option_word(const struct option_row *row, size_t index)
{
	const char *word = (const char *)row->words + index * row->word_distance;

	return index < row->word_count ? *(const char *const *)word : NULL;
}

static bool takes_value(const struct option_row *row)
{
	return row->kind != OPTION_FLAG && row->kind != OPTION_SET;
}

/* The index of an option by what getopt_long() calls it. */
static bool find(const struct command *command, int id, size_t *index)
{
	const struct option_row *row;

	for (*index = 0; (row = options_at(command, *index)); ++*index) {
		if (id == FIRST_ID + (int)*index || (row->letter && id == row->letter))
			return true;
	}
	return false;
}

/* The tables in the form of getopt_long(). */
static void list(const struct command *command, struct option *names, char *letters)
{
	const struct option_row *row;

	*letters++ = ':';
	for (size_t i = 0; (row = options_at(command, i)); i++) {
		bool value = takes_value(row);

		*names++ = (struct option){ row->name, value ? required_argument : no_argument,
					    NULL, FIRST_ID + (int)i };
		if (row->letter)
			*letters++ = row->letter;
		if (row->letter && value)
			*letters++ = ':';
	}
	*names = (struct option){ 0 };
	*letters = '\0';
}

static bool read_number(const struct option_row *row, const char *text, uint64_t *number)
{
	static const struct number_unit units[] = {
		{ "", 1 }, { "K", 1ull << 10 }, { "M", 1ull << 20 }, { "G", 1ull << 30 }
	};

	if (row->none && strcmp(text, "none") == 0) {
		*number = row->set;
		return true;
	}
	return number_read_unit(text, strlen(text), NUMBER_PREFIXED, units,
				row->kind == OPTION_NUMBER ? 1 : 4, number) &&
	       *number >= row->least && *number <= row->most &&
	       (!row->multiple || *number % row->multiple == 0);
}

static bool read_choice(const struct option_row *row, const char *text, uint64_t *index)
{
	const char *word;

	for (*index = 0; (word = option_word(row, *index)); ++*index) {
		if (strcmp(text, word) == 0)
			return true;
	}
	return false;
}

/* The path of unix:PATH, within text. */
static bool take_unix_path(const char *text, const char **path)
{
	static const char prefix[] = "unix:";
	const size_t length = sizeof(prefix) - 1;

	if (strncmp(text, prefix, length) != 0 || text[length] == '\0')
		return false;
	*path = text + length;
	return true;
}

/* NULL, or what is wanted instead. */
static const char *store(const struct option_row *row, void *to, char *value,
			 char range[OPTION_RANGE_SIZE])
{
	uint64_t number = row->kind == OPTION_SET ? row->set : true;
	bool ok = true;

	switch (row->kind) {
	case OPTION_READ:
		return row->read(to, value);
	case OPTION_TEXT:
	case OPTION_FILE:
	case OPTION_FOLDER:
		*(const char **)to = value;
		return NULL;
	case OPTION_SOCKET:
		return take_unix_path(value, to) ? NULL : "unix:PATH";
	case OPTION_CHOICE:
		ok = read_choice(row, value, &number);
		break;
	case OPTION_FLAG:
	case OPTION_SET:
		break;
	default:
		ok = read_number(row, value, &number);
	}
	if (!ok)
		return option_range(row, range);
	memcpy(to, &number, row->width); /* the low bytes come first */
	return NULL;
}

/* Says what is wrong with an option (dashes are "--") or operand. Returns false. */
static bool fail(const struct reader *r, const char *wrong, const char *dashes, const char *name)
{
	cmd_error("%s: %s%s %s; see `socle %s --help`", r->path, dashes, name, wrong, r->path);
	return false;
}

static bool take(const struct reader *r, const struct option_row *row, const char *dashes,
		 char *value)
{
	char range[OPTION_RANGE_SIZE];
	const char *wants = store(row, r->arguments + row->to, value, range);

	if (wants)
		cmd_error("%s: %s%s wants %s, not \"%s\"", r->path, dashes, row->name, wants,
			  value);
	return !wants;
}

/*
 * Words for one and the same thing: a row of OPTION_SET that was given, and is stored where this
 * one is.
 */
static const struct option_row *rival(const struct reader *r, const struct option_row *row)
{
	const struct option_row *other;

	for (size_t i = 0; row->kind == OPTION_SET && (other = options_at(r->command, i)); i++) {
		if (r->seen[i] && other != row && other->kind == OPTION_SET && other->to == row->to)
			return other;
	}
	return NULL;
}

static bool take_option(struct reader *r, size_t index, char *value)
{
	const struct option_row *row = options_at(r->command, index), *other = rival(r, row);

	if (r->seen[index] && !row->repeats)
		return fail(r, "is given twice", "--", row->name);
	if (other) {
		cmd_error("%s: --%s and --%s exclude each other; see `socle %s --help`", r->path,
			  other->name, row->name, r->path);
		return false;
	}
	r->seen[index] = true;
	return take(r, row, "--", value);
}

/* What getopt_long() has just refused: a missing value by ':', all else by '?'. */
static bool refuse(const struct reader *r, int id, char **argv)
{
	const char letter[] = { '-', (char)optopt, '\0' };
	size_t index;

	if (optopt && find(r->command, optopt, &index))
		return fail(r, id == ':' ? "lacks its value" : "takes no value", "--",
			    options_at(r->command, index)->name);
	cmd_error("%s: unknown option \"%s\"; see `socle %s --help`", r->path,
		  optopt ? letter : argv[optind - 1], r->path);
	return false;
}

static bool was_given(const struct reader *r, const char *name)
{
	const struct option_row *row;

	for (size_t i = 0; name && (row = options_at(r->command, i)); i++) {
		if (r->seen[i] && strcmp(row->name, name) == 0)
			return true;
	}
	return false;
}

/* From operands up to a NULL. */
static bool take_operands(const struct reader *r, char **operands)
{
	const struct option_row *row = r->command->operands;

	for (; row && row->name; row++) {
		if (was_given(r, row->unless))
			continue;
		if (!*operands)
			return fail(r, "is missing", "", row->name);
		if (!take(r, row, "", *operands++))
			return false;
	}
	return !*operands || fail(r, "is one argument too many", "", *operands);
}

static bool nothing_lacks(const struct reader *r)
{
	const struct option_row *row;

	for (size_t i = 0; (row = options_at(r->command, i)); i++) {
		if (row->required && !r->seen[i])
			return fail(r, "is missing", "--", row->name);
	}
	return true;
}

enum options_result options_read(const struct command *command, const char *path, int argc,
				 char **argv, void *arguments)
{
	struct reader r = { .command = command, .path = path, .arguments = arguments };
	struct option names[OPTIONS_MAX + 1];
	char letters[2 * OPTIONS_MAX + 2];
	size_t index;
	int id;

	list(command, names, letters);
	opterr = 0;
	while ((id = getopt_long(argc, argv, letters, names, NULL)) != -1) {
		if (!find(command, id, &index) && !refuse(&r, id, argv))
			return OPTIONS_REFUSED;
		if (options_at(command, index) == &help_row)
			return OPTIONS_HELP;
		if (!take_option(&r, index, optarg))
			return OPTIONS_REFUSED;
	}
	return nothing_lacks(&r) && take_operands(&r, argv + optind) ? OPTIONS_READ
								     : OPTIONS_REFUSED;
}
