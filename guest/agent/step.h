/* SPDX-License-Identifier: MIT */
/* The steps that are done by a script around tpm2-tools. */
#ifndef SOCLE_GUEST_AGENT_STEP_H
#define SOCLE_GUEST_AGENT_STEP_H

#include <stdbool.h>

#define STEP_LINE_MAX 256

/*
 * Runs `script name folder` and waits for its end. Its output goes to our standard error as it
 * comes; last_line keeps the last line of it that is not empty. True when it exits with 0.
 */
bool step_run(const char *script, const char *name, const char *folder,
	      char last_line[STEP_LINE_MAX]);

#endif
