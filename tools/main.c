/* SPDX-License-Identifier: MIT */
/* The `socle` command: finds the subcommand that the first argument names and runs it. */
#include "tools/cmd.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
	{ "ca", "certify the keys of vTPMs", cmd_ca },
	{ "igvm", "build, show and measure IGVM files", cmd_igvm },
	{ "run", "boot an IGVM file on the emulated SNP machine", cmd_run },
	{ "verify", "decide whether evidence is to be trusted", cmd_verify },
	{ "vtpm", "run a vTPM as a Linux process, for any TPM client", cmd_vtpm },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/* File names and file contents get in here: they may not forge lines. */
static void write_clean(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		fputc((unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c, stderr);
}

static void report(const char *file, const char *format, va_list args)
{
	char message[1024];

	vsnprintf(message, sizeof(message), format, args);
	fputs("socle: ", stderr);
	if (file) {
		write_clean(file);
		fputs(": ", stderr);
	}
	write_clean(message);
	fputc('\n', stderr);
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

static int help(void)
{
	printf("usage: socle COMMAND [OPTION]... [FILE]\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].help);
	printf("\n`socle COMMAND --help` tells more. `socle --version` prints the version.\n");
	return CMD_OK;
}

int main(int argc, char **argv)
{
	/* A line is one write(): the authority's processes say theirs at the same place. */
	setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	if (argc < 2)
		return cmd_error("no command; `socle --help` lists them");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help();
	if (strcmp(argv[1], "--version") == 0) {
		printf("socle %s\n", SOCLE_VERSION);
		return CMD_OK;
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	return cmd_error("unknown command \"%s\"; `socle --help` lists them", argv[1]);
}
