/* SPDX-License-Identifier: MIT */
#include "tools/cmd.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/number.h"

/* What was reported last, for those who report it once more in another form. */
static char last_error[1536];

/* File names and file contents get in here: they may not forge lines. */
static void clean(char *text)
{
	for (char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
}

static void report(const char *file, const char *format, va_list args)
{
	size_t used = 0;

	if (file) {
		snprintf(last_error, sizeof(last_error) / 2, "%s", file);
		used = strlen(last_error);
		used += (size_t)snprintf(last_error + used, sizeof(last_error) - used, ": ");
	}
	vsnprintf(last_error + used, sizeof(last_error) - used, format, args);
	clean(last_error);
	fprintf(stderr, "socle: %s\n", last_error);
}

const char *cmd_last_error(void)
{
	return last_error;
}

int cmd_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(NULL, format, args);
	va_end(args);
	return CMD_MISUSE;
}

int cmd_file_error(const char *file, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(file, format, args);
	va_end(args);
	return CMD_MISUSE;
}

static int help(const char *name, const struct command *commands, size_t count)
{
	printf("usage: %s COMMAND [OPTION]... [FILE]\n\n", name);
	for (size_t i = 0; i < count; i++)
		printf("  %-9s %s\n", commands[i].name, commands[i].help);
	printf("\n`%s COMMAND --help` tells more.\n", name);
	return CMD_OK;
}

int cmd_one_of(const char *name, const struct command *commands, size_t count, int argc,
	       char **argv)
{
	if (argc < 2)
		return cmd_error("no command; `%s --help` lists them", name);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help(name, commands, count);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	return cmd_error("unknown command \"%s\"; `%s --help` lists them", argv[1], name);
}

int cmd_bad_option(const char *command, int argc, char **argv)
{
	const char *last = optind > 0 && optind <= argc ? argv[optind - 1] : "";
	char letter[] = { '-', (char)optopt, '\0' };
	const char *option = strncmp(last, "--", 2) == 0 ? last : letter;

	return cmd_error("%s: unknown option or missing value: \"%s\"; see `socle %s --help`",
			 command, option, command);
}

bool cmd_number(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
	return number_read(text, strlen(text), NUMBER_DECIMAL, min, max, number);
}

bool cmd_unix_path(const char *text, const char **path)
{
	static const char prefix[] = "unix:";
	const size_t length = sizeof(prefix) - 1;

	if (strncmp(text, prefix, length) != 0 || text[length] == '\0')
		return false;
	*path = text + length;
	return true;
}
