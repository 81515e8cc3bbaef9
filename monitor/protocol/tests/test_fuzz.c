/* SPDX-License-Identifier: MIT */
/* The fuzzer's target from a fixed seed: the same runs each time, a few seconds long. */
#include <stdio.h>
#include <stdlib.h>

#include "monitor/protocol/tests/fuzz_calls.h"

#define INPUT_SIZE 6000u

static uint64_t xorshift(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

int main(int argc, char **argv)
{
	unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 0x50c1e;
	static uint8_t input[INPUT_SIZE];

	for (unsigned long run = 0; run < runs; run++) {
		for (size_t i = 0; i < sizeof(input); i++)
			input[i] = (uint8_t)(xorshift(&seed) >> 24);
		LLVMFuzzerTestOneInput(input, sizeof(input));
	}
	printf("%lu runs\n", runs);
	return 0;
}
