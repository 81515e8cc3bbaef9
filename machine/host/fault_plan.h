/* SPDX-License-Identifier: MIT */
/* The plan of faults of a hostile host: `--fault NAME[=WHEN]`. */
#ifndef SOCLE_MACHINE_HOST_FAULT_PLAN_H
#define SOCLE_MACHINE_HOST_FAULT_PLAN_H

#include <stdbool.h>

#include "machine/mailbox.h"

#define FAULT_OCCASION_MAX 1000000u

struct fault {
	const char *name;
	const char *what; /* the host does, and at which occasions */
};

/* By enum mailbox_fault. */
extern const struct fault faults[MAILBOX_FAULT_COUNT];

/*
 * Adds NAME, NAME=N (at the N-th occasion only) or NAME=/N (at each N-th) to the plan; a bare NAME
 * is NAME=/1. N is from 1 to FAULT_OCCASION_MAX. False, with the plan as it was: no such fault,
 * something else behind the equals sign, or a fault that is in the plan already.
 */
bool fault_parse(struct mailbox_fault_plan plan[MAILBOX_FAULT_COUNT], const char *text);

#endif
