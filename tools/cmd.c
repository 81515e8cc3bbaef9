/* SPDX-License-Identifier: MIT */
#include "tools/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/options.h"

/* The last error, kept for commands that also report it in another form. */
static char last_error[1536];

/* Messages quote file names and contents, which must not be able to forge further lines. */
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

enum cmd_status cmd_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(NULL, format, args);
	va_end(args);
	return CMD_MISUSE;
}

enum cmd_status cmd_file_error(const char *file, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(file, format, args);
	va_end(args);
	return CMD_MISUSE;
}

bool cmd_read_file(const char *path, size_t max, struct file_bytes *bytes)
{
	struct host_error error;

	if (file_read(path, max, bytes, &error))
		return true;
	cmd_file_error(path, "%s", error.text);
	return false;
}

bool cmd_read_input(const char *path, size_t max, struct file_bytes *bytes)
{
	struct host_error error;

	if (strcmp(path, "-") != 0)
		return cmd_read_file(path, max, bytes);
	if (file_read_stdin(max, bytes, &error))
		return true;
	cmd_file_error(path, "%s", error.text);
	return false;
}

/* "socle" and a path, the name that messages call a command by. */
static void join(char *name, size_t size, const char *first, const char *second)
{
	snprintf(name, size, "%s%s%s", first, *first && *second ? " " : "", second);
}

static enum cmd_status list(const struct command *group, const char *name)
{
	printf("usage: %s COMMAND [OPTION]... [FILE]\n\n", name);
	for (const struct command *const *c = group->commands; *c; c++) {
		if ((*c)->summary)
			printf("  %-9s %s\n", (*c)->name, (*c)->summary);
	}
	printf("\n`%s COMMAND --help` tells more.\n", name);
	return CMD_OK;
}

static const struct command *find(const struct command *group, const char *name)
{
	const struct command *const *c = group->commands;

	while (*c && strcmp(name, (*c)->name) != 0)
		c++;
	return *c;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables of commands are. */
static enum cmd_status run_one_of(const struct command *group, const char *path, int argc,
				  char **argv)
{
	const struct command *command;
	char name[64], below[64];

	join(name, sizeof(name), "socle", path);
	if (argc < 2)
		return cmd_error("no command; `%s --help` lists them", name);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return list(group, name);
	command = find(group, argv[1]);
	if (!command)
		return cmd_error("unknown command \"%s\"; `%s --help` lists them", argv[1], name);
	join(below, sizeof(below), path, command->name);
	return cmd_run_command(command, below, argc - 1, argv + 1);
}

static enum cmd_status run_with_options(const struct command *command, const char *path, int argc,
					char **argv)
{
	void *arguments = calloc(1, command->size + 1);
	enum cmd_status status = CMD_OK;

	if (!arguments)
		return cmd_error("%s: out of memory", path);
	if (command->defaults)
		memcpy(arguments, command->defaults, command->size);
	switch (options_read(command, path, argc, argv, arguments)) {
	case OPTIONS_READ:
		status = command->run(arguments);
		break;
	case OPTIONS_HELP:
		options_help(command, path);
		break;
	case OPTIONS_REFUSED:
		if (command->refused)
			command->refused(argc, argv);
		status = CMD_MISUSE;
	}
	free(arguments);
	return status;
}

enum cmd_status cmd_shown(const char *name, bool ok)
{
	return ok && fflush(stdout) == 0 && !ferror(stdout)
		       ? CMD_OK
		       : cmd_error("%s: cannot write what it says", name);
}

enum cmd_status cmd_show(const char *name, json_t *all, bool as_json, void (*print)(json_t *all))
{
	bool ok = all != NULL;

	if (ok && as_json)
		ok = json_dumpf(all, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
	else if (ok)
		print(all);
	json_decref(all);
	return cmd_shown(name, ok);
}

/* Wherever it stands: what is behind it may be what was refused. */
bool cmd_asks_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--json") == 0)
			return true;
	}
	return false;
}

json_t *cmd_last_error_json(void)
{
	json_t *error = json_string(last_error);

	/* It was not UTF-8. */
	return error ? error : json_string("the reason is no text: see the standard error");
}

enum cmd_status cmd_show_error(bool as_json)
{
	json_t *all = as_json ? json_pack("{s:o}", "error", cmd_last_error_json()) : NULL;

	if (all && json_dumpf(all, stdout, JSON_INDENT(2)) == 0)
		putchar('\n');
	json_decref(all);
	fflush(stdout);
	return CMD_MISUSE;
}

void cmd_show_refused(int argc, char **argv)
{
	cmd_show_error(cmd_asks_json(argc, argv));
}

/* NOLINTNEXTLINE(misc-no-recursion): the same. */
enum cmd_status cmd_run_command(const struct command *command, const char *path, int argc,
				char **argv)
{
	if (command->commands && (!command->run || (argc > 1 && find(command, argv[1]))))
		return run_one_of(command, path, argc, argv);
	return run_with_options(command, path, argc, argv);
}
