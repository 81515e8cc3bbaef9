/* SPDX-License-Identifier: MIT */
/*
 * Extended state (APM volume 1, 16; volume 2, 11.5; volume 4, XSAVE to XRSTORS): leaf 0xD, the
 * standard and the compacted format, their faults, and that each level has its own XCR0 and AVX
 * registers (volume 2, table B-4, offsets 3e8h and 570h). `socle run --xsave`, or a CPUID page that
 * lists leaf 0xD.
 */
#include "tests/machine/guest/guest.h"

#define SSE 2u
#define AVX 4u
#define ALL 7u
#define COMPACTED (1ull << 63)

struct area {
	uint8_t legacy[512];
	uint64_t xstate_bv, xcomp_bv, reserved[6];
	uint64_t avx[32];
} __attribute__((aligned(64)));

static struct area area;
static volatile uint64_t faults, fault_vector;
static volatile uint64_t level2_xcr0, level2_ymm;

static void skip(struct trap_frame *frame)
{
	fault_vector = frame->vector;
	faults++;
	frame->rip = frame->rcx; /* where each of the instructions below goes on */
}

/* RCX has the address behind the instruction, for skip(). */
#define EXECUTE(text, mask)                                          \
	__asm__ volatile("leaq 1f(%%rip), %%rcx; " text "; 1:"       \
			 : "+m"(area)                                \
			 : "a"((uint32_t)(mask)), "d"(0), "S"(&area) \
			 : "rcx", "memory")

static void xsetbv(uint32_t value)
{
	__asm__ volatile("xsetbv" : : "a"(value), "d"(0), "c"(0));
}

static uint64_t xgetbv(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low | (uint64_t)high << 32;
}

/* YMM1: 0 to 63 by XMM1, 128 to 191 by its upper half. */
static void ymm1_set(uint64_t low, uint64_t high)
{
	struct area state = { .xstate_bv = SSE | AVX };

	*(uint32_t *)&state.legacy[24] = 0x1f80;
	*(uint64_t *)&state.legacy[160 + 16] = low;
	state.avx[2] = high;
	__asm__ volatile("xrstor64 %0" : : "m"(state), "a"(SSE | AVX), "d"(0));
}

static uint64_t ymm1_high(void)
{
	struct area state = { 0 };

	__asm__ volatile("xsave64 %0" : "+m"(state) : "a"(SSE | AVX), "d"(0));
	return state.avx[2];
}

static uint64_t xmm1_low(void)
{
	struct area state = { 0 };

	__asm__ volatile("xsave64 %0" : "+m"(state) : "a"(SSE), "d"(0));
	return *(uint64_t *)&state.legacy[160 + 16];
}

static void clear_area(void)
{
	area = (struct area){ 0 };
}

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

/* By the GHCB, as a #VC handler asks, with an XCR0. */
static struct cpuid host_cpuid_with(uint32_t leaf, uint32_t subleaf, uint64_t xcr0)
{
	struct cpuid r = { 0 };

	ghcb->rax = leaf;
	ghcb->rcx = subleaf;
	ghcb_set_valid(0x1f8);
	ghcb_set_valid(0x308);
	ghcb->xcr0 = xcr0;
	ghcb_set_valid(0x3e8);
	if (ghcb_exit(0x72, 0, 0).result == 0)
		r = (struct cpuid){ (uint32_t)ghcb->rax, (uint32_t)ghcb->rbx, (uint32_t)ghcb->rcx,
				    (uint32_t)ghcb->rdx };
	return r;
}

static struct cpuid host_cpuid(uint32_t leaf, uint32_t subleaf)
{
	return host_cpuid_with(leaf, subleaf, 1);
}

static void leaves(void)
{
	struct cpuid r = host_cpuid(0xd, 0);

	check("the highest standard leaf", host_cpuid(0, 0).eax, 0xd);
	check("leaf 1: XSAVE and AVX", host_cpuid(1, 0).ecx >> 26 & 5, 5);
	check("leaf 0xD: x87, SSE and AVX", r.eax, 7);
	check("  the size for XCR0", r.ebx, 0x240);
	check("  the size with all of it", r.ecx, 0x340);
	/* The GHCB's XCR0 counts, not the CPU's, which is 1 here; KVM takes it likewise. */
	check("  for another XCR0 in the GHCB", host_cpuid_with(0xd, 0, 7).ebx, 0x340);
	check("  in subleaf 1", host_cpuid_with(0xd, 1, 7).ebx, 0x340);
	check("  bits that no XCR0 has", host_cpuid_with(0xd, 0, ~4ull).ebx, 0x240);
	r = host_cpuid(0xd, 1);
	check("subleaf 1: XSAVEOPT, XSAVEC, XSAVES", r.eax & 0xb, 0xb);
	r = host_cpuid(0xd, 2);
	check("subleaf 2: size and offset of AVX", (uint64_t)r.eax << 32 | r.ebx, 0x10000000240);
}

static void without_osxsave(void)
{
	EXECUTE("xsavec64 (%%rsi)", ALL);
	check("XSAVEC without CR4.OSXSAVE: #UD", faults << 8 | fault_vector, 0x106);
	faults = 0;
}

static void compacted(void)
{
	ymm1_set(0x1111, 0x2222);
	clear_area();
	EXECUTE("xsavec64 (%%rsi)", ALL);
	check("XSAVEC: XSTATE_BV", area.xstate_bv, ALL);
	check("  XCOMP_BV", area.xcomp_bv, COMPACTED | ALL);
	check("  XMM1", *(uint64_t *)&area.legacy[160 + 16], 0x1111);
	check("  the upper half of YMM1", area.avx[2], 0x2222);
	ymm1_set(3, 4);
	EXECUTE("xrstor64 (%%rsi)", ALL);
	check("XRSTOR of a compacted area: XMM1", xmm1_low(), 0x1111);
	check("  YMM1", ymm1_high(), 0x2222);
	ymm1_set(5, 6);
	clear_area();
	EXECUTE("xsaves64 (%%rsi)", ALL);
	ymm1_set(7, 8);
	EXECUTE("xrstors64 (%%rsi)", ALL);
	check("XSAVES, then XRSTORS: XMM1", xmm1_low(), 5);
	check("  YMM1", ymm1_high(), 6);
	clear_area();
	area.avx[2] = 0x77;
	EXECUTE("xsavec64 (%%rsi)", SSE);
	check("XSAVEC of SSE alone: XCOMP_BV", area.xcomp_bv, COMPACTED | SSE);
	check("  AVX is left alone", area.avx[2], 0x77);
	area.xcomp_bv = COMPACTED | SSE | AVX;
	area.xstate_bv = 0;
	ymm1_set(9, 10);
	EXECUTE("xrstors64 (%%rsi)", SSE | AVX);
	check("XRSTORS of what XSTATE_BV lacks: XMM1 is reset", xmm1_low(), 0);
	check("  YMM1, too", ymm1_high(), 0);
	check("no faults", faults, 0);
}

static void expect_fault(const char *rule, uint64_t vector)
{
	check(rule, faults << 8 | fault_vector, 1ull << 8 | vector);
	faults = 0;
}

static void bad_areas(void)
{
	clear_area();
	EXECUTE("xsavec64 8(%%rsi)", ALL);
	expect_fault("XSAVEC to an address that is not of 64 bytes: #GP", 13);
	EXECUTE("xrstors64 (%%rsi)", ALL);
	expect_fault("XRSTORS of a standard area: #GP", 13);
	area.xcomp_bv = COMPACTED | SSE;
	area.xstate_bv = AVX;
	EXECUTE("xrstors64 (%%rsi)", ALL);
	expect_fault("XSTATE_BV beyond XCOMP_BV: #GP", 13);
	area.xcomp_bv = COMPACTED | 1 << 9;
	area.xstate_bv = 0;
	EXECUTE("xrstor64 (%%rsi)", ALL);
	expect_fault("XCOMP_BV beyond XCR0: #GP", 13);
	area.xcomp_bv = COMPACTED | ALL;
	area.reserved[3] = 1;
	EXECUTE("xrstor64 (%%rsi)", ALL);
	expect_fault("a reserved byte of the header: #GP", 13);
	area.reserved[3] = 0;
	area.xstate_bv = SSE;
	*(uint32_t *)&area.legacy[24] = 0x80001f80;
	EXECUTE("xrstor64 (%%rsi)", ALL);
	expect_fault("a reserved bit of MXCSR: #GP", 13);
	__asm__ volatile("leaq 1f(%%rip), %%rcx; xsavec64 (%%rsi); 1:"
			 :
			 : "a"(ALL), "d"(0), "S"(1ull << 40)
			 : "rcx", "memory");
	expect_fault("XSAVEC to what the tables do not map: #PF", 14);
}

static void at_level2(void)
{
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | 1 << 18));
	for (;;) {
		level2_xcr0 = xgetbv();
		xsetbv(ALL);
		level2_ymm = ymm1_high();
		ymm1_set(0xaaaa, 0xbbbb);
		level2_return();
	}
}

static void levels(void)
{
	struct snp_vmsa *vmsa = level2_create(at_level2);

	vmsa->xcr0 = 3;
	*(uint64_t *)&vmsa->ymm_registers[16] = 0x5555;
	level2_start();
	ymm1_set(0x1234, 0x5678);
	check("VMPL2 runs", level2_run(), 0x017);
	check("  with the XCR0 of its VMSA", level2_xcr0, 3);
	check("  and its YMM1", level2_ymm, 0x5555);
	check("its YMM1 is in its VMSA", *(uint64_t *)&vmsa->ymm_registers[16], 0xbbbb);
	check("  and its XCR0", vmsa->xcr0, ALL);
	check("YMM1 of VMPL0 is what it was", ymm1_high(), 0x5678);
	check("  and its XCR0", xgetbv(), ALL);
}

void test_main(void)
{
	uint64_t cr4;

	trap_handler = skip;
	leaves();
	without_osxsave();
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | 1 << 18));
	xsetbv(ALL);
	check("leaf 0xD: the size for XCR0 with AVX", host_cpuid_with(0xd, 0, ALL).ebx, 0x340);
	compacted();
	bad_areas();
	levels();
}
