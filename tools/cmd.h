/* SPDX-License-Identifier: MIT */
/* The subcommands of `socle`, how they read their arguments, and report what went wrong. */
#ifndef SOCLE_TOOLS_CMD_H
#define SOCLE_TOOLS_CMD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/host/file.h"

struct command; /* tools/options.h */

/*
 * How a subcommand ended: the exit status. Those that all of them share have names here; others are
 * a subcommand's own, with other names and the same numbers (enum run_status, enum check_class),
 * and its table says what they mean.
 */
enum cmd_status {
	CMD_OK = 0,
	CMD_MISUSE = 1,	 /* wrong arguments, or a file that cannot be read or is not valid */
	CMD_REFUSED = 2, /* socle ca: a request */
};

extern const struct command cmd_ca, cmd_certs, cmd_challenge, cmd_eventlog, cmd_igvm, cmd_nonce,
	cmd_policy, cmd_report, cmd_run, cmd_verify, cmd_verify_serve, cmd_vtpm;

/* Writes "socle: MESSAGE\n" to stderr, as one line, and returns CMD_MISUSE. */
__attribute__((format(printf, 1, 2))) enum cmd_status cmd_error(const char *format, ...);

/* Writes "socle: FILE: MESSAGE\n" to stderr, as one line, and returns CMD_MISUSE. */
__attribute__((format(printf, 2, 3))) enum cmd_status cmd_file_error(const char *file,
								     const char *format, ...);

/* Reads a regular file of at most max bytes, for file_free(); false after cmd_file_error(). */
bool cmd_read_file(const char *path, size_t max, struct file_bytes *bytes);

/* The same, but "-" is standard input, to its end. */
bool cmd_read_input(const char *path, size_t max, struct file_bytes *bytes);

/* The MESSAGE of the last of both, with the file, as it was written; "" before the first. */
const char *cmd_last_error(void);

/*
 * Ends a command that shows something: writes it to stdout, as one JSON object or by print, and
 * gives it up. NULL is an object for which there was no memory. name: of the command, for the line
 * on stderr.
 */
enum cmd_status cmd_show(const char *name, json_t *all, bool as_json, void (*print)(json_t *all));

/* Whether --json stands among the arguments, right or wrong. */
bool cmd_asks_json(int argc, char **argv);

/* The last error as a JSON string; never NULL unless memory is short. */
json_t *cmd_last_error_json(void);

/*
 * The end of a command that has nothing to show: with --json that is an object, too, whose only
 * member is the last error. Returns CMD_MISUSE.
 */
enum cmd_status cmd_show_error(bool as_json);

/* The same where the arguments were refused: struct command's refused. */
void cmd_show_refused(int argc, char **argv);

/* The end of that for what is printed by other means: ok: so far nothing went wrong. */
enum cmd_status cmd_shown(const char *name, bool ok);

/*
 * Runs a command, or the one of a group that argv[1] names. path is the command as it is called,
 * without "socle "; "" for all of them.
 */
enum cmd_status cmd_run_command(const struct command *command, const char *path, int argc,
				char **argv);

#endif
