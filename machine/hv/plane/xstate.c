/* SPDX-License-Identifier: MIT */
#include "machine/hv/plane/xstate.h"

#include <string.h>

#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"

#define CPUID_1_ECX_OSXSAVE (1u << 27)

static bool has_xcr0(void)
{
	return x86_cpuid(1, 0).ecx & CPUID_1_ECX_OSXSAVE;
}

uint64_t xstate_features(void)
{
	uint64_t features = XSTATE_X87 | XSTATE_SSE;

	if (hv_mailbox()->xsave)
		features |= x86_cpuid(0xd, 0).eax & XSTATE_AVX;
	return features;
}

uint64_t xstate_xcr0(void)
{
	uint32_t low = 1, high = 0;

	if (has_xcr0())
		__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low | (uint64_t)high << 32;
}

static void set_xcr0(uint64_t value)
{
	__asm__ volatile("xsetbv" : : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(0));
}

void xstate_save(struct xstate_area *area, uint64_t mask, bool wide)
{
	uint32_t low = (uint32_t)mask, high = (uint32_t)(mask >> 32);

	if (wide)
		__asm__ volatile("xsave64 %0" : "+m"(*area) : "a"(low), "d"(high));
	else
		__asm__ volatile("xsave %0" : "+m"(*area) : "a"(low), "d"(high));
}

void xstate_restore(const struct xstate_area *area, uint64_t mask, bool wide)
{
	uint32_t low = (uint32_t)mask, high = (uint32_t)(mask >> 32);

	if (wide)
		__asm__ volatile("xrstor64 %0" : : "m"(*area), "a"(low), "d"(high));
	else
		__asm__ volatile("xrstor %0" : : "m"(*area), "a"(low), "d"(high));
}

void xstate_load(const struct snp_vmsa *vmsa)
{
	struct xstate_area area = { .xstate_bv = XSTATE_AVX };
	uint32_t mxcsr;

	if (!(xstate_features() & XSTATE_AVX))
		return;
	/* MXCSR comes along. */
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	memcpy(&area.legacy[XSTATE_MXCSR_OFFSET], &mxcsr, sizeof(mxcsr));
	memcpy(area.avx, vmsa->ymm_registers, sizeof(area.avx));
	set_xcr0(xstate_features());
	xstate_restore(&area, XSTATE_AVX, true);
}

void xstate_store(struct snp_vmsa *vmsa)
{
	uint64_t guest = xstate_xcr0();
	struct xstate_area area;

	if (!(xstate_features() & XSTATE_AVX))
		return;
	memset(&area, 0, sizeof(area));
	set_xcr0(xstate_features());
	xstate_save(&area, XSTATE_AVX, true);
	set_xcr0(guest);
	memcpy(vmsa->ymm_registers, area.avx, sizeof(area.avx));
}
