/* SPDX-License-Identifier: MIT */
/*
 * The command line of each subcommand as a table: out of it arguments are read, --help is written,
 * and completions and manual pages are made.
 */
#ifndef SOCLE_TOOLS_OPTIONS_H
#define SOCLE_TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/cmd.h"

#define OPTIONS_MAX 64u /* of one command, in all of its groups */

/* What a value is, and what it is stored as. */
enum option_kind {
	OPTION_FLAG, /* there is none: true, a bool */
	/*
	 * There is none: set, an unsigned integer of any width. Two with one member exclude each
	 * other.
	 */
	OPTION_SET,
	OPTION_TEXT,	/* a const char * into the arguments, as the next three */
	OPTION_FILE,	/* the name of a file */
	OPTION_FOLDER,	/* the name of a directory */
	OPTION_SOCKET,	/* the path of unix:PATH */
	OPTION_NUMBER,	/* least to most, an unsigned integer of any width */
	OPTION_SIZE,	/* the same, shown with K, M or G */
	OPTION_ADDRESS, /* the same, shown in hexadecimal */
	OPTION_CHOICE,	/* one of the words: its index, an unsigned integer of any width */
	OPTION_READ,	/* whatever read() makes of it */
};

/* An option, or, without dashes before its name, an operand. */
struct option_row {
	const char *name;
	char letter; /* -letter is the same as --name; 0: there is none */
	enum option_kind kind;
	bool required;	    /* as operands are */
	bool repeats;	    /* may be given more than once */
	bool none;	    /* the word "none" stands for the number set */
	const char *value;  /* what the help calls the value; NULL where there is none */
	const char *help;   /* the help adds range, words and default from the table */
	const char *unless; /* of an operand: the option that stands in its place; or NULL */
	size_t to, width;   /* the member that gets the value, and its size */
	uint64_t set, least, most;
	uint64_t multiple; /* that a number has to be of; 0: of any */
	/*
	 * OPTION_WORDS(): a choice's words, and those that completion offers for what read() takes.
	 */
	const char *const *words;
	size_t word_count, word_distance;
	/* Stores at to what value says, which it may cut; NULL, or what it wants instead. */
	const char *(*read)(void *to, char *value);
};

/*
 * A row: the member that gets the value, name, kind without OPTION_, what stands for the value
 * (NULL where there is none), help, and whatever else its kind wants.
 */
#define OPTION(structure, member, option, what, shown, text, ...)                   \
	{                                                                           \
		.to = offsetof(structure, member),                                  \
		.width = sizeof(((const structure *)NULL)->member), .name = option, \
		.kind = OPTION_##what, .value = shown, .help = text, __VA_ARGS__    \
	}

/*
 * For a row: an array of words, or of structures that have one as the member that is named (.name).
 */
#define OPTION_WORDS(array, ...)                                                            \
	.words = &(array)[0] __VA_ARGS__, .word_count = sizeof(array) / sizeof((array)[0]), \
	.word_distance = sizeof((array)[0])

/* Options that the help shows under a title of their own; NULL: under none. */
struct option_group {
	const char *title;
	const struct option_row *rows; /* up to one without a name */
};

/* An exit status and what it means. */
struct option_status {
	int status;
	const char *meaning;
};

/* A subcommand, or a group of them; what does not apply is 0. */
struct command {
	const char *name;
	const char *summary; /* one line for the list of commands */
	/*
	 * Of a group, up to a NULL; then nothing follows, but for a command that others stand
	 * below, too.
	 */
	const struct command *const *commands;
	const char *about;			 /* for the help; a line break ends a paragraph */
	const struct option_group *groups;	 /* up to one without rows */
	const struct option_row *operands;	 /* up to one without a name; or NULL */
	const struct option_status *statuses;	 /* up to one without a meaning; NULL: 0 and 1 */
	const void *defaults;			 /* of what run() gets; NULL: zeros */
	size_t size;				 /* of it */
	enum cmd_status (*run)(void *arguments); /* one of statuses */
	/* Is told of arguments that were refused, after the line on standard error; or NULL. */
	void (*refused)(int argc, char **argv);
	void (*more_help)(void); /* prints what follows the options; or NULL */
};

enum options_result {
	OPTIONS_READ,
	OPTIONS_HELP,	 /* is asked for */
	OPTIONS_REFUSED, /* after a line on standard error */
};

/*
 * Reads arguments into a structure that holds the defaults. path is the command as it is called,
 * without "socle ".
 */
enum options_result options_read(const struct command *command, const char *path, int argc,
				 char **argv, void *arguments);

/* The option at that index, in the order of the groups, --help behind them; NULL after it. */
const struct option_row *options_at(const struct command *command, size_t index);

/* One of a row's words; NULL after the last. */
const char *option_word(const struct option_row *row, size_t index);

#define OPTION_RANGE_SIZE 256u

/* What a number or a choice has to be, to follow "wants"; the text, or a constant. */
const char *option_range(const struct option_row *row, char text[OPTION_RANGE_SIZE]);

/* Prints what --help shows. */
void options_help(const struct command *command, const char *path);

/* Prints the tables of a group of commands as JSON, for what is made of them; false on failure. */
bool options_print_tables(const struct command *root);

#endif
