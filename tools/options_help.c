/* SPDX-License-Identifier: MIT */
/* What the tables of options say, for people and for programs. */
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/cmd.h"
#include "tools/options.h"

#define COLUMNS 80u
#define HELP_COLUMN 26u

static const char *const kinds[] = {
	[OPTION_FLAG] = "flag",	    [OPTION_SET] = "set",	[OPTION_TEXT] = "text",
	[OPTION_FILE] = "file",	    [OPTION_FOLDER] = "folder", [OPTION_SOCKET] = "socket",
	[OPTION_NUMBER] = "number", [OPTION_SIZE] = "size",	[OPTION_ADDRESS] = "address",
	[OPTION_CHOICE] = "choice", [OPTION_READ] = "read",
};

/* Of a command that has none of its own. */
static const struct option_status plain_statuses[] = {
	{ CMD_OK, "it is done" },
	{ CMD_MISUSE, "misuse, or something that is unreadable or not valid" },
	{ 0 },
};

static const struct option_status *statuses_of(const struct command *command)
{
	return command->statuses ? command->statuses : plain_statuses;
}

static bool is_number(const struct option_row *row)
{
	return row->kind == OPTION_NUMBER || row->kind == OPTION_SIZE ||
	       row->kind == OPTION_ADDRESS;
}

static void print_number(char text[32], enum option_kind kind, uint64_t number)
{
	static const char units[] = { 'K', 'M', 'G' };
	int unit = -1;

	while (kind == OPTION_SIZE && number && number % 1024 == 0 && unit < 2) {
		number /= 1024;
		unit++;
	}
	if (kind == OPTION_ADDRESS)
		snprintf(text, 32, "0x%" PRIx64, number);
	else
		snprintf(text, 32, "%" PRIu64 "%.1s", number, unit < 0 ? "" : &units[unit]);
}

/* Appends to a text of OPTION_RANGE_SIZE, as much as there is room for. */
__attribute__((format(printf, 2, 3))) static void append(char *text, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, OPTION_RANGE_SIZE - used, format, args);
	va_end(args);
}

static const char *append_words(const struct option_row *row, const char *between, const char *last,
				char *text)
{
	const char *word;

	text[0] = '\0';
	for (size_t i = 0; (word = option_word(row, i)); i++)
		append(text, "%s%s", i == 0 ? "" : i + 1 < row->word_count ? between : last, word);
	return text;
}

static const char *put_range(const struct option_row *row, const char *before, char *text)
{
	char least[32], most[32], multiple[32];

	print_number(least, row->kind, row->least);
	print_number(most, row->kind, row->most);
	print_number(multiple, row->kind, row->multiple);
	text[0] = '\0';
	if (row->most != UINT64_MAX)
		append(text, "%s%s to %s", before, least, most);
	if (row->multiple)
		append(text, ", a multiple of %s", multiple);
	if (row->none)
		append(text, ", or none");
	return text;
}

const char *option_range(const struct option_row *row, char text[OPTION_RANGE_SIZE])
{
	if (row->kind == OPTION_CHOICE)
		return append_words(row, ", ", " or ", text);
	return row->most == UINT64_MAX ? "a number" : put_range(row, "a number from ", text);
}

/* The default, where there is one to show; else empty. */
static const char *put_default(const struct option_row *row, const struct command *command,
			       char *text)
{
	const char *at;
	uint64_t number = 0;

	text[0] = '\0';
	if (!command->defaults || row->required || row->width > sizeof(number))
		return text;
	at = (const char *)command->defaults + row->to;
	memcpy(&number, at, row->width);
	if (row->kind == OPTION_CHOICE)
		append(text, "%s", option_word(row, number));
	else if (is_number(row) && number && number >= row->least && number <= row->most)
		print_number(text, row->kind, number);
	else if (row->kind == OPTION_TEXT || row->kind == OPTION_FILE)
		append(text, "%s", *(const char *const *)at ? *(const char *const *)at : "");
	return text;
}

/* Prints text from a column on, words that do not fit on lines of their own; the column then. */
static size_t wrap(size_t column, size_t indent, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, " \n");

		if (column > indent && column + 1 + length > COLUMNS)
			printf("\n%*s", (int)(column = indent), "");
		else if (column > indent)
			column += (size_t)printf(" ");
		column += (size_t)printf("%.*s", (int)length, text);
		text += length;
		for (; *text == ' ' || *text == '\n'; text++) {
			if (*text == '\n')
				printf("\n%*s", (int)(column = indent), "");
		}
	}
	return column;
}

/* What stands for an option's value; NULL where there is none. */
static const char *value_of(const struct option_row *row, char text[OPTION_RANGE_SIZE])
{
	return row->kind == OPTION_CHOICE ? append_words(row, "|", "|", text) : row->value;
}

/* (RANGE, DEFAULT), as far as there are any. */
static const char *note(const struct option_row *row, const struct command *command,
			char text[OPTION_RANGE_SIZE])
{
	char range[OPTION_RANGE_SIZE] = "", value[OPTION_RANGE_SIZE];
	const char *between = ", default ";

	if (is_number(row))
		put_range(row, "", range);
	put_default(row, command, value);
	text[0] = '\0';
	if (range[0] || value[0])
		append(text, "(%.120s%s%.100s)", range,
		       !value[0]  ? ""
		       : range[0] ? between
				  : between + 2,
		       value);
	return text;
}

static void print_row(const struct option_row *row, const struct command *command)
{
	size_t column = (size_t)printf("  --%s", row->name);
	char text[OPTION_RANGE_SIZE];

	if (value_of(row, text))
		column += (size_t)printf(" %s", value_of(row, text));
	if (row->letter)
		column += (size_t)printf(", -%c", row->letter);
	if (column < HELP_COLUMN)
		printf("%*s", (int)(HELP_COLUMN - column), "");
	else
		printf("\n%*s", (int)HELP_COLUMN, "");
	column = wrap(HELP_COLUMN, HELP_COLUMN, row->help);
	wrap(column, HELP_COLUMN, note(row, command, text));
	putchar('\n');
}

static void print_usage(const struct command *command, const char *path)
{
	const struct option_row *row;
	char text[OPTION_RANGE_SIZE];

	printf("usage: socle %s [OPTION]...", path);
	for (size_t i = 0; (row = options_at(command, i)); i++) {
		if (row->required)
			printf(" --%s %s", row->name, value_of(row, text));
	}
	for (row = command->operands; row && row->name; row++)
		printf(" %s", row->name);
	printf("\n\n");
}

void options_help(const struct command *command, const char *path)
{
	print_usage(command, path);
	wrap(0, 0, command->about);
	printf("\n");
	for (const struct option_group *group = command->groups; group && group->rows; group++) {
		printf("\n%s%s", group->title ? group->title : "", group->title ? ":\n" : "");
		for (const struct option_row *row = group->rows; row->name; row++)
			print_row(row, command);
	}
	printf("\nExit status:\n");
	for (const struct option_status *s = statuses_of(command); s->meaning; s++) {
		printf("  %d  ", s->status);
		wrap(5, 5, s->meaning);
		putchar('\n');
	}
	if (command->more_help)
		command->more_help();
}

static json_t *json_words(const struct option_row *row)
{
	json_t *list = json_array();

	for (size_t i = 0; i < row->word_count; i++)
		json_array_append_new(list, json_string(option_word(row, i)));
	return list;
}

/* As text: not every reader of JSON has 64 bits. */
static json_t *json_number(uint64_t number)
{
	return json_sprintf("%" PRIu64, number);
}

static json_t *json_row(const struct option_row *row, const struct command *command)
{
	char value[OPTION_RANGE_SIZE], said[OPTION_RANGE_SIZE], letter[] = { row->letter, '\0' };

	return json_pack("{s:s, s:s, s:s, s:s*, s:s, s:s, s:b, s:b, s:I, s:o, s:o, s:o, s:o}",
			 "name", row->name, "letter", letter, "kind", kinds[row->kind], "value",
			 value_of(row, value), "help", row->help, "note", note(row, command, said),
			 "required", row->required, "repeats", row->repeats, "width",
			 (json_int_t)row->width, "least", json_number(row->least), "most",
			 json_number(row->most), "multiple", json_number(row->multiple), "words",
			 json_words(row));
}

static json_t *json_rows(const struct option_row *row, const struct command *command)
{
	json_t *list = json_array();

	for (; row && row->name; row++)
		json_array_append_new(list, json_row(row, command));
	return list;
}

static json_t *json_groups(const struct command *command)
{
	const struct option_group *group = command->groups;
	json_t *list = json_array();

	for (; group && group->rows; group++)
		json_array_append_new(list, json_pack("{s:s*, s:o}", "title", group->title,
						      "options", json_rows(group->rows, command)));
	return list;
}

static json_t *json_statuses(const struct option_status *status)
{
	json_t *list = json_array();

	for (; status->meaning; status++)
		json_array_append_new(list, json_pack("{s:i, s:s}", "status", status->status,
						      "meaning", status->meaning));
	return list;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables of commands are. */
static json_t *json_command(const struct command *command)
{
	const struct command *const *below = command->commands;
	json_t *commands = json_array();

	for (; below && *below; below++)
		json_array_append_new(commands, json_command(*below));
	return json_pack("{s:s, s:s*, s:s*, s:o, s:o, s:o, s:o}", "name", command->name, "summary",
			 command->summary, "about", command->about, "commands", commands, "groups",
			 json_groups(command), "operands", json_rows(command->operands, command),
			 "statuses", json_statuses(statuses_of(command)));
}

bool options_print_tables(const struct command *root)
{
	json_t *tables = json_command(root);
	bool ok = tables && json_dumpf(tables, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF;

	json_decref(tables);
	return ok && fflush(stdout) == 0;
}
