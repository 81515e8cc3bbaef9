/* SPDX-License-Identifier: MIT */
/*
 * Where nothing asks for it, extended state is not shown: no leaf 0xD, and the instructions of its
 * compacted format do not exist (APM volume 4, XSAVEC and XSAVES: #UD where CPUID has no bit for
 * them).
 */
#include "tests/machine/guest/guest.h"

static uint8_t area[832] __attribute__((aligned(64)));
static volatile uint64_t faults, fault_vector;

static void skip(struct trap_frame *frame)
{
	fault_vector = frame->vector;
	faults++;
	frame->rip = frame->rcx;
}

static uint32_t cpuid_ecx(uint32_t leaf, uint32_t *eax)
{
	ghcb->rax = leaf;
	ghcb->rcx = 0;
	ghcb_set_valid(0x1f8);
	ghcb_set_valid(0x308);
	ghcb->xcr0 = 1;
	ghcb_set_valid(0x3e8);
	(void)ghcb_exit(0x72, 0, 0);
	*eax = (uint32_t)ghcb->rax;
	return (uint32_t)ghcb->rcx;
}

void test_main(void)
{
	uint32_t eax;

	trap_handler = skip;
	check("leaf 1: neither XSAVE nor AVX", cpuid_ecx(1, &eax) >> 26 & 5, 0);
	(void)cpuid_ecx(0, &eax);
	check("the highest standard leaf", eax, 0xc);
	check("leaf 0xD", cpuid_ecx(0xd, &eax) | eax, 0);
	__asm__ volatile("leaq 1f(%%rip), %%rcx; xsavec64 (%%rsi); 1:"
			 :
			 : "a"(3), "d"(0), "S"(area)
			 : "rcx", "memory");
	check("XSAVEC: #UD", faults << 8 | fault_vector, 0x106);
}
