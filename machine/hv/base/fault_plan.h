/* SPDX-License-Identifier: MIT */
/* The plan of faults in the mailbox: what this host does on purpose that it should not do. */
#ifndef SOCLE_MACHINE_HV_BASE_FAULT_PLAN_H
#define SOCLE_MACHINE_HV_BASE_FAULT_PLAN_H

#include <stdbool.h>

#include "machine/mailbox.h"

/* Counts an occasion of that fault; true: this time it is done. Under the big lock. */
bool fault_strikes(enum mailbox_fault fault);

#endif
