/* SPDX-License-Identifier: MIT */
/*
 * Guest memory. Guest and host can take any page away at any time, which is a #VC or a page fault
 * at the access: every access here has its fixup (base/extable.h).
 */
#include <stddef.h>

#include "monitor/arch/arch.h"
#include "monitor/base/direct.h"
#include "monitor/base/extable.h"

/* Returns how many bytes were left when it faulted: 0 when none did. */
static size_t copy(void *to, const void *from, size_t size)
{
	__asm__ volatile("1: rep movsb\n"
			 "2:\n" EXTABLE_ENTRY("1b", "2b")
			 : "+D"(to), "+S"(from), "+c"(size)
			 :
			 : "memory");
	return size;
}

bool arch_guest_read(void *to, gpa_t from, size_t size)
{
	return copy(to, direct_ptr(from), size) == 0;
}

bool arch_guest_write(gpa_t to, const void *from, size_t size)
{
	return copy(direct_ptr(to), from, size) == 0;
}

/* Unrolled, for this zeroes all of the guest's memory before the guest starts. */
bool arch_guest_zero(gpa_t page, size_t size)
{
	void *to = direct_ptr(page);
	uint64_t turns = size / 64;

	if (!turns)
		return true;
	__asm__ volatile("1: movq %2, (%0)\n"
			 "2: movq %2, 8(%0)\n"
			 "3: movq %2, 16(%0)\n"
			 "4: movq %2, 24(%0)\n"
			 "5: movq %2, 32(%0)\n"
			 "6: movq %2, 40(%0)\n"
			 "7: movq %2, 48(%0)\n"
			 "8: movq %2, 56(%0)\n"
			 "add $64, %0\n"
			 "dec %1\n"
			 "jnz 1b\n"
			 "9:\n" EXTABLE_ENTRY("1b", "9b") EXTABLE_ENTRY("2b", "9b")
				 EXTABLE_ENTRY("3b", "9b") EXTABLE_ENTRY("4b", "9b")
					 EXTABLE_ENTRY("5b", "9b") EXTABLE_ENTRY("6b", "9b")
						 EXTABLE_ENTRY("7b", "9b") EXTABLE_ENTRY("8b", "9b")
			 : "+r"(to), "+r"(turns)
			 : "r"(0ull)
			 : "memory", "cc");
	return turns == 0;
}

uint8_t arch_guest_exchange8(gpa_t at, uint8_t value, bool *ok)
{
	uint8_t *byte = direct_ptr(at);
	uint8_t failed = 1;

	__asm__ volatile("1: xchgb %0, %1\n"
			 "movb $0, %2\n"
			 "2:\n" EXTABLE_ENTRY("1b", "2b")
			 : "+q"(value), "+m"(*byte), "+q"(failed)
			 :
			 : "memory");
	*ok = !failed;
	return *ok ? value : 0;
}

#define EFER_SVME_BIT 12
/* NOLINTNEXTLINE(misc-redundant-expression): that both say the same is the point. */
_Static_assert(SNP_VMSA_EFER_SVME == 1ull << EFER_SVME_BIT, "EFER.SVME");

bool arch_vmsa_set_runnable(gpa_t vmsa, bool runnable, bool *was)
{
	uint64_t *efer = direct_ptr(gpa(vmsa.raw + offsetof(struct snp_vmsa, efer)));
	uint8_t before = 0, failed = 1;

	__asm__ volatile("testb %3, %3\n"
			 "jz 2f\n"
			 "1: lock btsq %4, %0\n"
			 "jmp 3f\n"
			 "2: lock btrq %4, %0\n"
			 "3: setc %1\n"
			 "movb $0, %2\n"
			 "4:\n" EXTABLE_ENTRY("1b", "4b") EXTABLE_ENTRY("2b", "4b")
			 : "+m"(*efer), "+q"(before), "+q"(failed)
			 : "q"((uint8_t)runnable), "i"(EFER_SVME_BIT)
			 : "memory", "cc");
	*was = before;
	return !failed;
}
