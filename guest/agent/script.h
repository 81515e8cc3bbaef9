/* SPDX-License-Identifier: MIT */
/* The steps that are done by a script around tpm2-tools. */
#ifndef SOCLE_GUEST_AGENT_SCRIPT_H
#define SOCLE_GUEST_AGENT_SCRIPT_H

#include <stdbool.h>

#define SCRIPT_LINE_MAX 256

/*
 * Runs `script name folder` and waits for its end. Its output goes to our standard error as it
 * comes; last_line keeps the last line of it that is not empty. True when it exits with 0.
 */
bool script_run(const char *script, const char *name, const char *folder,
		char last_line[SCRIPT_LINE_MAX]);

#endif
