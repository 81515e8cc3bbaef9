/* SPDX-License-Identifier: MIT */
/*
 * PVALIDATE and RMPADJUST (APM volume 3), through the direct map. Both raise #VC for a page that is
 * not what they need, and go on at their fixup then.
 */
#include "monitor/arch/arch.h"
#include "monitor/base/direct.h"
#include "monitor/base/extable.h"

uint32_t arch_pvalidate(gpa_t page, enum arch_page_size size, bool validate, bool *changed)
{
	uint64_t result = (uint64_t)(uintptr_t)direct_ptr(page);
	uint8_t unchanged = 1;

	__asm__ volatile("1: .byte 0xf2, 0x0f, 0x01, 0xff\n"
			 "setc %1\n"
			 "jmp 3f\n"
			 "2: movl %4, %%eax\n"
			 "3:\n" EXTABLE_ENTRY("1b", "2b")
			 : "+a"(result), "+q"(unchanged)
			 : "c"((uint64_t)size), "d"((uint64_t)validate), "i"(ARCH_RESULT_FAULT)
			 : "memory", "cc");
	*changed = (uint32_t)result == SNP_RESULT_OK && !unchanged;
	return (uint32_t)result;
}

uint32_t arch_rmpadjust(gpa_t page, enum arch_page_size size, unsigned int vmpl, uint64_t perms)
{
	uint64_t result = (uint64_t)(uintptr_t)direct_ptr(page);

	__asm__ volatile("1: .byte 0xf3, 0x0f, 0x01, 0xfe\n"
			 "jmp 3f\n"
			 "2: movl %3, %%eax\n"
			 "3:\n" EXTABLE_ENTRY("1b", "2b")
			 : "+a"(result)
			 : "c"((uint64_t)size), "d"(perms | vmpl), "i"(ARCH_RESULT_FAULT)
			 : "memory", "cc");
	return (uint32_t)result;
}
