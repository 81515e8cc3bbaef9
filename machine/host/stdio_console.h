/* SPDX-License-Identifier: MIT */
/*
 * Standard output and input of a run. The guest's console is shown byte for byte, the SVSM's lines
 * are marked, and lines of the machine's own stand between them; none breaks another's line. On a
 * terminal the marks have a colour, a line of progress stands while nothing is printed, and keys go
 * to the guest: Ctrl-A X leaves, Ctrl-A Ctrl-A or Ctrl-A A is one Ctrl-A, as with QEMU's
 * -nographic.
 */
#ifndef SOCLE_MACHINE_HOST_STDIO_CONSOLE_H
#define SOCLE_MACHINE_HOST_STDIO_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <termios.h>

struct stdio_console {
	FILE *out;	      /* NULL: nothing is printed */
	int in;		      /* a terminal whose keys go to the guest; -1: none do */
	bool terminal;	      /* out is one */
	bool in_line;	      /* what was printed last is no whole line */
	bool in_escape;	      /* a key after Ctrl-A is awaited */
	bool progress;	      /* a line of progress is on the screen */
	uint64_t quiet_since; /* CLOCK_MONOTONIC in ns */
	struct termios before;
};

/* What is printed, and what becomes of keys. */
enum stdio_console_mode {
	STDIO_CONSOLE_NOTHING,
	STDIO_CONSOLE_LINES, /* lines of the machine's own; keys are not read */
	STDIO_CONSOLE_ALL,
};

/* Opens it on standard output and input; stdio_console_close() puts the terminal back as it was. */
void stdio_console_open(struct stdio_console *c, enum stdio_console_mode mode);
void stdio_console_close(struct stdio_console *c);

/* No more keys are read, and the terminal is as it was. */
void stdio_console_end_keys(struct stdio_console *c);

/* Bytes of the guest's console. */
void stdio_console_guest(struct stdio_console *c, const char *data, size_t size);

/*
 * One line of the SVSM's, and one of the machine's, of ms after its start; without a line end, and
 * of printable characters (printable.h).
 */
void stdio_console_svsm(struct stdio_console *c, const char *line);
void stdio_console_machine(struct stdio_console *c, uint64_t ms, const char *line);

/*
 * When nothing has been printed for a while, shows for how long on a terminal, with a number that
 * moves while the guest does something.
 */
void stdio_console_tick(struct stdio_console *c, uint64_t now_ns, uint64_t exits);

/* Whether stdio_console_tick() is to be called about once a second. */
bool stdio_console_ticks(const struct stdio_console *c);

/*
 * Keys that were read become bytes for the guest, at most as many, in place; *size is how many.
 * True when the user leaves.
 */
bool stdio_console_keys(struct stdio_console *c, char *keys, size_t *size);

#endif
