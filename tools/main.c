/* SPDX-License-Identifier: MIT */
/* The `socle` command: finds the subcommand that the first argument names and runs it. */
#include <stdio.h>

#include "tools/cmd.h"

static int version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("socle %s\n", SOCLE_VERSION);
	return CMD_OK;
}

static const struct command commands[] = {
	{ "ca", "certify the keys of vTPMs", cmd_ca },
	{ "igvm", "build, show and measure IGVM files", cmd_igvm },
	{ "run", "boot an IGVM file on the emulated SNP machine", cmd_run },
	{ "verify", "decide whether evidence is to be trusted", cmd_verify },
	{ "vtpm", "run a vTPM as a Linux process, for any TPM client", cmd_vtpm },
	{ "--version", "print the version", version },
};

int main(int argc, char **argv)
{
	/* A line is one write(): the authority's processes say theirs at the same place. */
	setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	return cmd_one_of("socle", commands, sizeof(commands) / sizeof(commands[0]), argc, argv);
}
