/* SPDX-License-Identifier: MIT */
/* PVALIDATE and RMPADJUST (APM volume 3), through the direct map. */
#include "monitor/arch/arch.h"
#include "monitor/mem/direct.h"

uint32_t arch_pvalidate(gpa_t page, enum arch_page_size size, bool validate, bool *changed)
{
	uint64_t result = (uint64_t)(uintptr_t)direct_ptr(page);
	bool unchanged;

	__asm__ volatile(".byte 0xf2, 0x0f, 0x01, 0xff"
			 : "+a"(result), "=@ccc"(unchanged)
			 : "c"((uint64_t)size), "d"((uint64_t)validate)
			 : "memory");
	*changed = !unchanged;
	return (uint32_t)result;
}

uint32_t arch_rmpadjust(gpa_t page, enum arch_page_size size, unsigned int vmpl, uint64_t perms)
{
	uint64_t result = (uint64_t)(uintptr_t)direct_ptr(page);

	__asm__ volatile(".byte 0xf3, 0x0f, 0x01, 0xfe"
			 : "+a"(result)
			 : "c"((uint64_t)size), "d"(perms | vmpl)
			 : "memory", "cc");
	return (uint32_t)result;
}
