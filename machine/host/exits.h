/* SPDX-License-Identifier: MIT */
/* Names of what the hypervisor counts. */
#ifndef SOCLE_MACHINE_HOST_EXITS_H
#define SOCLE_MACHINE_HOST_EXITS_H

#include <stdint.h>

#define EXIT_NAME_SIZE 48

/*
 * Writes the name of a counter's code (machine/mailbox.h) to name: "cpuid" for an SVM exit,
 * "nae.cpuid" for an exit by the GHCB page, "msr.cpuid" for one by the GHCB MSR protocol; the
 * number stands for a code without a name.
 */
void exit_name(uint64_t counter_code, char name[EXIT_NAME_SIZE]);

/* The code itself, without the mailbox's flags. */
uint64_t exit_code(uint64_t counter_code);

#endif
