/* SPDX-License-Identifier: MIT */
/*
 * PVALIDATE, RMPADJUST and RMPQUERY (APM volume 3), through the direct map. Each raises #VC for a
 * page that is not what it needs, and goes on at its fixup then.
 */
#include "monitor/arch/arch.h"
#include "monitor/base/direct.h"
#include "monitor/base/extable.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/log/log.h"

#define LEAF_SEV 0x8000001fu
#define EAX_RMPQUERY (1u << 6)
#define OF_A_PAGE (SNP_RMPADJUST_PERMS_ALL | SNP_RMPADJUST_VMSA)

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

static uint32_t query(gpa_t page, uint64_t *rcx, uint64_t *rdx)
{
	uint64_t result = (uint64_t)(uintptr_t)direct_ptr(page);

	__asm__ volatile("1: .byte 0xf3, 0x0f, 0x01, 0xfd\n"
			 "jmp 3f\n"
			 "2: movl %3, %%eax\n"
			 "3:\n" EXTABLE_ENTRY("1b", "2b")
			 : "+a"(result), "+c"(*rcx), "+d"(*rdx)
			 : "i"(ARCH_RESULT_FAULT)
			 : "memory", "cc");
	return (uint32_t)result;
}

static bool has_query(void)
{
	static bool said;
	bool has = cpuid_query(LEAF_SEV, 0).eax & EAX_RMPQUERY;

	if (!has && !__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
		log_printf(LOG_WARNING, "the CPU has no RMPQUERY: the guest's less privileged "
					"levels reach no page by a call");
	return has;
}

uint32_t arch_rmpquery(gpa_t page, unsigned int vmpl, enum arch_page_size *size, uint64_t *rights)
{
	uint64_t rcx = 0, rdx = vmpl;
	uint32_t eax = has_query() ? query(page, &rcx, &rdx) : ARCH_RESULT_FAULT;

	*size = rcx == SNP_PAGE_2M ? ARCH_PAGE_2M : ARCH_PAGE_4K;
	*rights = eax == SNP_RESULT_OK ? rdx & OF_A_PAGE : 0;
	return eax;
}
