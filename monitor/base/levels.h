/* SPDX-License-Identifier: MIT */
/*
 * The privilege level of the guest: at which every vCPU of it runs, and whose rights its pages
 * have. The image says it (abi/params.h). No vCPU is ever at a level between it and Socle, nor at a
 * less privileged one: CREATE_VCPU makes none there.
 */
#ifndef SOCLE_MONITOR_BASE_LEVELS_H
#define SOCLE_MONITOR_BASE_LEVELS_H

#include <stdbool.h>

/* Once, before the guest has anything: from 1 to 3, else false and nothing is done. */
bool levels_init(unsigned int guest);

/* What was said; 2 until then. */
unsigned int guest_vmpl(void);

/* A level other than the guest's and VMPL0, so one that no page grants anything to. */
unsigned int level_without_rights(void);

#endif
