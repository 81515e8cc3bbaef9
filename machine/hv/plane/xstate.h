/* SPDX-License-Identifier: MIT */
/*
 * Extended state: what XCR0 enables beyond x87 and SSE, which is AVX, where the guest is shown
 * XSAVE. XCR0 is the current plane's while the hypervisor runs.
 */
#ifndef SOCLE_MACHINE_HV_PLANE_XSTATE_H
#define SOCLE_MACHINE_HV_PLANE_XSTATE_H

#include <stdbool.h>

#include "abi/snp.h"

#define XSTATE_X87 (1ull << 0)
#define XSTATE_SSE (1ull << 1)
#define XSTATE_AVX (1ull << 2)

#define XSTATE_HEADER_OFFSET 512u
#define XSTATE_AVX_OFFSET 576u /* in both formats, for nothing is between them */
#define XSTATE_AVX_SIZE 256u
#define XSTATE_SIZE_MAX (XSTATE_AVX_OFFSET + XSTATE_AVX_SIZE)

/* The area of XSAVE (APM volume 2, 11.5.2). */
struct xstate_area {
	uint8_t legacy[XSTATE_HEADER_OFFSET];
	uint64_t xstate_bv, xcomp_bv, reserved_210[6];
	uint8_t avx[XSTATE_AVX_SIZE];
} __attribute__((aligned(64)));
ABI_SIZE(struct xstate_area, XSTATE_SIZE_MAX);
ABI_OFFSET(struct xstate_area, avx, XSTATE_AVX_OFFSET);

#define XSTATE_MXCSR_OFFSET 24u

/* What XCR0 may have in a guest: x87 and SSE, and AVX where it is shown and QEMU has it. */
uint64_t xstate_features(void);

/* XCR0 of this CPU; 1 where it has none. */
uint64_t xstate_xcr0(void);

/* XSAVE and XRSTOR of the components in mask; wide: with REX.W. */
void xstate_save(struct xstate_area *area, uint64_t mask, bool wide);
void xstate_restore(const struct xstate_area *area, uint64_t mask, bool wide);

/* The part of a VMSA that is AVX state: into this CPU, and from it. Nothing where there is none. */
void xstate_load(const struct snp_vmsa *vmsa);
void xstate_store(struct snp_vmsa *vmsa);

#endif
