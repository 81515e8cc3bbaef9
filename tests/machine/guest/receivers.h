/* SPDX-License-Identifier: MIT */
/* Two vCPUs that count what reaches them of a device's interrupt, by APICs in x2APIC mode. */
#ifndef SOCLE_TESTS_MACHINE_RECEIVERS_H
#define SOCLE_TESTS_MACHINE_RECEIVERS_H

#include <stdint.h>

#define RECEIVERS_VECTOR 27u

/* Starts the second one, with ids 0 and 1; trap_handler is theirs from here on. */
void receivers_start(void);

/* Nothing that has come counts any more. */
void receivers_forget(void);

/*
 * Who got it since then: bit 0 the first vCPU, bit 1 the second. Waits until it is as expected, for
 * some seconds; where nobody is expected, for a part of that, as there is no telling when it would
 * have come.
 */
uint64_t receivers_wait(uint64_t expected);

#endif
