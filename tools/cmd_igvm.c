/* SPDX-License-Identifier: MIT */
/* `socle igvm`: builds, shows and measures IGVM files. */
#include "tools/cmd.h"

#include <stdio.h>
#include <string.h>

#include "tools/igvm/igvm.h"

static const struct command commands[] = {
	{ "build", "make an IGVM file", igvm_build },
	{ "show", "say what an IGVM file holds", igvm_show },
	{ "measure", "print the launch digest that an IGVM file gives", igvm_measure },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static int help(void)
{
	printf("usage: socle igvm COMMAND [OPTION]... [FILE]\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].help);
	printf("\n`socle igvm COMMAND --help` tells more.\n");
	return CMD_OK;
}

int cmd_igvm(int argc, char **argv)
{
	if (argc < 2)
		return cmd_error("igvm: no command; `socle igvm --help` lists them");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help();
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	return cmd_error("igvm: unknown command \"%s\"; `socle igvm --help` lists them", argv[1]);
}
