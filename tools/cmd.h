/* SPDX-License-Identifier: MIT */
/* The subcommands of `socle`, and how they report what went wrong. */
#ifndef SOCLE_TOOLS_CMD_H
#define SOCLE_TOOLS_CMD_H

/* Exit statuses that all subcommands share; a subcommand documents those of its own. */
#define CMD_OK 0
#define CMD_MISUSE 1 /* wrong arguments, or a file that cannot be read or is not valid */

/*
 * One subcommand. argv[0] is the subcommand's name, so that getopt_long() works on argc and argv
 * as they are. Returns the exit status of the process.
 */
struct command {
	const char *name;
	const char *help; /* one line for `socle --help` */
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

#endif
