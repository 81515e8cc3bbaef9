/* SPDX-License-Identifier: MIT */
/*
 * A guest that computes, and calls VMPL0 before and behind: what events of VMPL0 take from it is
 * measured in instructions, by bench/interrupts.py.
 */
#include "tests/attacks/guest/attack.h"

#define TURNS 200000000ull

static uint64_t now(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
	return low | (uint64_t)high << 32;
}

static void loop(void)
{
	uint64_t turns = TURNS, start;

	expect("a call before", svsm_alive(), true);
	start = now();
	__asm__ volatile("1: decq %0; jnz 1b" : "+r"(turns));
	note("loop %lu", now() - start);
	expect("a call behind", svsm_alive(), true);
}

const struct rule rules[] = {
	{ "a loop", "docs/planes.md", loop, 1 },
	{ NULL, NULL, NULL, 0 },
};
