/* SPDX-License-Identifier: MIT */
/* The subcommands of `socle`, how they read their arguments, and report what went wrong. */
#ifndef SOCLE_TOOLS_CMD_H
#define SOCLE_TOOLS_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses that all subcommands share; a subcommand documents those of its own. */
#define CMD_OK 0
#define CMD_MISUSE 1 /* wrong arguments, or a file that cannot be read or is not valid */

/*
 * One subcommand. argv[0] is the subcommand's name, so that getopt_long() works on argc and argv
 * as they are. Returns the exit status of the process.
 */
struct command {
	const char *name;
	const char *help; /* one line for the list of commands */
	int (*run)(int argc, char **argv);
};

int cmd_ca(int argc, char **argv);
int cmd_igvm(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_vtpm(int argc, char **argv);

/* Writes "socle: MESSAGE\n" to stderr, as one line, and returns CMD_MISUSE. */
__attribute__((format(printf, 1, 2))) int cmd_error(const char *format, ...);

/* Writes "socle: FILE: MESSAGE\n" to stderr, as one line, and returns CMD_MISUSE. */
__attribute__((format(printf, 2, 3))) int cmd_file_error(const char *file, const char *format, ...);

/* The MESSAGE of the last of both, with the file, as it was written; "" before the first. */
const char *cmd_last_error(void);

/* Runs the one of count commands that argv[1] names, or lists them; name is what stands before. */
int cmd_one_of(const char *name, const struct command *commands, size_t count, int argc,
	       char **argv);

/*
 * Reports the option that getopt_long() just refused with ?, having been told to be quiet. command
 * is what stands between "socle" and the options. Returns CMD_MISUSE.
 */
int cmd_bad_option(const char *command, int argc, char **argv);

/* A decimal number and nothing else, from min to max. */
bool cmd_number(const char *text, uint64_t min, uint64_t max, uint64_t *number);

/* The path of unix:PATH, within text. */
bool cmd_unix_path(const char *text, const char **path);

#endif
