/* SPDX-License-Identifier: MIT */
#ifndef SOCLE_MONITOR_PROTOCOL_TESTS_FUZZ_CALLS_H
#define SOCLE_MONITOR_PROTOCOL_TESTS_FUZZ_CALLS_H

#include <stddef.h>
#include <stdint.h>

/* One run of a hostile guest and host from a new world; aborts when something is broken. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * How often the level's call has succeeded so far, and how many turns of work ahead there were: a
 * fuzzer that only ever meets refusals proves little.
 */
unsigned long fuzz_successes(unsigned int vmpl, unsigned int protocol, unsigned int call);
unsigned long fuzz_turns(void);

#endif
