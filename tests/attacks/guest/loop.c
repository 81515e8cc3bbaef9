/* SPDX-License-Identifier: MIT */
/*
 * A guest that computes, and calls VMPL0 before and behind: what events of VMPL0 take from it is
 * measured in instructions, by bench/interrupts.py.
 */
#include "tests/attacks/guest/attack.h"

static void loop(void)
{
	uint64_t turns = TURNS, start;

	expect("a call before", svsm_alive(), true);
	start = cpu_tsc();
	__asm__ volatile("1: decq %0; jnz 1b" : "+r"(turns));
	note("loop %lu", cpu_tsc() - start);
	expect("a call behind", svsm_alive(), true);
}

const struct rule rules[] = {
	{ "a loop", "docs/planes.md", loop, 1 },
	{ NULL, NULL, NULL, 0 },
};
