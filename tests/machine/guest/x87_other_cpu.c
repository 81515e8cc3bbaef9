/* SPDX-License-Identifier: MIT */
/*
 * What one CPU does with its x87 registers is nothing to the exits of another. To QEMU it is, for
 * its first CPU: docs/machine-limits.md.
 */
#include "tests/machine/guest/guest.h"

#define EXITS 20000u

static volatile uint64_t loads;

static void load_x87(void)
{
	static uint8_t environment[28];

	__asm__ volatile("fnstenv %0" : "=m"(environment));
	for (;;) {
		__asm__ volatile("fldenv %0" : : "m"(environment));
		loads++;
	}
}

void test_main(void)
{
	uint64_t answered = 0, before;

	second_cpu_start(load_x87);
	while (loads == 0)
		__asm__ volatile("pause");
	before = loads;
	for (unsigned int i = 0; i < EXITS; i++)
		answered += (ghcb_msr_call(0x002) & 0xfff) == 0x001;
	check("exits that were answered", answered, EXITS);
	check("x87 was loaded meanwhile", loads > before, 1);
}
