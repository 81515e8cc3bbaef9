/* SPDX-License-Identifier: MIT */
/* INVLPGB and TLBSYNC (APM volume 3). arch.h says what they are for and what is assumed. */
#include "monitor/arch/arch.h"
#include "monitor/base/extable.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/log/log.h"

#define LEAF_ADDRESS_SIZES 0x80000008u
#define EBX_INVLPGB (1u << 3)
#define EBX_INVLPGB_NESTED (1u << 21)
/*
 * RAX. Without bits 0 and 1 it is for all addresses and all PCIDs; 63:12 are not an address then.
 */
#define INVLPGB_ASID (1ull << 2)
#define INVLPGB_GLOBAL (1ull << 3)
#define INVLPGB_NESTED (1ull << 5)

/* INVLPGB is weakly ordered: what was changed before it is to be seen by all first. */
static bool invlpgb(uint64_t flags)
{
	uint8_t executed = 0;

	__asm__ volatile("mfence\n"
			 "1: .byte 0x0f, 0x01, 0xfe\n"
			 "movb $1, %0\n"
			 "2:\n" EXTABLE_WITHHELD("1b", "2b")
			 : "+&q"(executed)
			 : "a"(flags), "c"(0), "d"(0)
			 : "memory");
	return executed;
}

static bool tlbsync(void)
{
	uint8_t executed = 0;

	__asm__ volatile("1: .byte 0x0f, 0x01, 0xff\n"
			 "movb $1, %0\n"
			 "2:\n" EXTABLE_WITHHELD("1b", "2b")
			 : "+&q"(executed)
			 :
			 : "memory");
	return executed;
}

static bool flush(void)
{
	uint32_t features = cpuid_query(LEAF_ADDRESS_SIZES, 0).ebx;
	uint64_t flags = INVLPGB_ASID | INVLPGB_GLOBAL;

	if (features & EBX_INVLPGB_NESTED)
		flags |= INVLPGB_NESTED;
	return (features & EBX_INVLPGB) && invlpgb(flags) && tlbsync();
}

bool arch_flush_guest_tlb(void)
{
	static bool said;
	bool flushed = flush();

	if (!flushed && !__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
		log_printf(LOG_WARNING, "the host withholds INVLPGB: the guest gets one vCPU only");
	return flushed;
}
