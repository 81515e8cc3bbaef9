/* SPDX-License-Identifier: MIT */
/* The fuzzer's target from a fixed seed: the same runs each time, a few seconds long. */
#include <stdio.h>
#include <stdlib.h>

#include "monitor/protocol/tests/fuzz_calls.h"

#define INPUT_SIZE 6000u
#define RUNS 2000u

/*
 * Calls that change something or end in a service, by level, protocol and number: all of them must
 * get through now and then.
 */
static const unsigned int must_succeed[][3] = {
	{ 2, 0, 0 }, { 2, 0, 1 }, { 2, 0, 2 }, { 2, 0, 3 }, { 2, 1, 0 }, { 2, 1, 1 }, { 2, 1, 2 },
	{ 2, 2, 1 }, { 3, 0, 0 }, { 3, 0, 1 }, { 3, 0, 2 }, { 3, 0, 3 }, { 3, 1, 0 }, { 3, 2, 1 },
};

static uint64_t xorshift(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

int main(int argc, char **argv)
{
	unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 10) : RUNS;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 0x50c1e;
	static uint8_t input[INPUT_SIZE];

	for (unsigned long run = 0; run < runs; run++) {
		for (size_t i = 0; i < sizeof(input); i++)
			input[i] = (uint8_t)(xorshift(&seed) >> 24);
		LLVMFuzzerTestOneInput(input, sizeof(input));
	}
	for (size_t i = 0; i < sizeof(must_succeed) / sizeof(must_succeed[0]); i++) {
		const unsigned int *call = must_succeed[i];
		unsigned long count = fuzz_successes(call[0], call[1], call[2]);

		printf("VMPL%u, protocol %u call %u succeeded %lu times\n", call[0], call[1],
		       call[2], count);
		if (runs >= RUNS && count == 0)
			return 1;
	}
	printf("%lu turns of work ahead\n", fuzz_turns());
	if (runs >= RUNS && fuzz_turns() == 0)
		return 1;
	printf("%lu runs\n", runs);
	return 0;
}
