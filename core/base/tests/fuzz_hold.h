/* SPDX-License-Identifier: MIT */
/* What a fuzzer demands of all inputs. */
#ifndef SOCLE_CORE_BASE_TESTS_FUZZ_HOLD_H
#define SOCLE_CORE_BASE_TESTS_FUZZ_HOLD_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the fuzzer, with what it wanted, where that does not hold. */
static inline void hold(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz: %s\n", what);
	abort();
}

#endif
