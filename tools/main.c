/* SPDX-License-Identifier: MIT */
/* The `socle` command: finds the subcommand that the first argument names and runs it. */
#include <openssl/crypto.h>
#include <stdio.h>

#include "tools/cmd.h"
#include "tools/options.h"

static enum cmd_status version(void *arguments)
{
	(void)arguments;
	printf("socle %s\n", SOCLE_VERSION);
	return CMD_OK;
}

static enum cmd_status print_tables(void *arguments);

static const struct command cmd_version = {
	.name = "--version",
	.summary = "print the version",
	.about = "Prints the version.",
	.run = version,
};

/* For scripts/command-files.py; not listed among the commands. */
static const struct command cmd_tables = {
	.name = "--tables",
	.about = "Prints the options of all commands as JSON.",
	.run = print_tables,
};

static const struct command root = {
	.name = "socle",
	.commands = (const struct command *const[]){ &cmd_ca, &cmd_certs, &cmd_challenge,
						     &cmd_eventlog, &cmd_igvm, &cmd_nonce,
						     &cmd_policy, &cmd_report, &cmd_run,
						     &cmd_verify, &cmd_vtpm, &cmd_version,
						     &cmd_tables, NULL },
};

static enum cmd_status print_tables(void *arguments)
{
	(void)arguments;
	return options_print_tables(&root) ? CMD_OK : cmd_error("cannot write the tables");
}

int main(int argc, char **argv)
{
	/*
	 * What OpenSSL does for this command is in this program and its libraries, not in a file
	 * that OPENSSL_CONF names and that could bring other code
	 * (docs/decisions/016-no-openssl-configuration.md). At the end the kernel takes all back,
	 * more quickly than OpenSSL.
	 */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
		return cmd_error("OpenSSL does not start");
	/* One write() per line, since the processes of `socle ca serve` share standard error. */
	setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	return cmd_run_command(&root, "", argc, argv);
}
