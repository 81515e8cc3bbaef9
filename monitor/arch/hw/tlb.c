/* SPDX-License-Identifier: MIT */
#include "monitor/arch/arch.h"

#include "monitor/base/cpu_ops.h"

void arch_forget_page(va_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va.raw) : "memory");
}

void arch_forget_all(void)
{
	uint64_t cr4 = cpu_read_cr4();

	/* Any change of PGE drops everything, global entries included (APM volume 2, 5.5.3). */
	cpu_write_cr4(cr4 ^ CR4_PGE);
	cpu_write_cr4(cr4);
}
