/* SPDX-License-Identifier: MIT */
/* Where a thread is put aside, and what goes on (apic_system_asm.S). */
#ifndef SOCLE_TESTS_ATTACKS_APIC_SYSTEM_H
#define SOCLE_TESTS_ATTACKS_APIC_SYSTEM_H

#include <stdint.h>

/* Pushes what a call keeps, writes RSP to *save, and goes on at load. With interrupts off. */
void switch_stacks(uint64_t *save, uint64_t load);

/* Words that switch_stacks() pops before it returns. */
#define SWITCHED_WORDS 6u

#endif
