/* SPDX-License-Identifier: MIT */
/* Why something did not work, in one line for people. */
#ifndef SOCLE_GUEST_AGENT_PROBLEM_H
#define SOCLE_GUEST_AGENT_PROBLEM_H

#include <stdbool.h>

#define PROBLEM_MAX 256

struct problem {
	char text[PROBLEM_MAX];
};

/* Writes the line, cut where it is too long. Returns false, for the caller to return. */
__attribute__((format(printf, 2, 3))) bool problem_set(struct problem *problem, const char *format,
						       ...);

#endif
