/* SPDX-License-Identifier: MIT */
/* What C and assembly both know of the attack guests' memory: only preprocessor constants. */
#ifndef SOCLE_TESTS_ATTACKS_LAYOUT_H
#define SOCLE_TESTS_ATTACKS_LAYOUT_H

/*
 * Each CPU has a block, aligned to its size: struct cpu at its start, its stack down from its end.
 * So the stack pointer says which CPU this is.
 */
#define CPU_BLOCK_SIZE 0x4000
#define CPUS_MAX 8

#endif
