/* SPDX-License-Identifier: MIT */
#include "tests/machine/rules/vc_asm.h"

uint64_t vc_legacy_idt[VC_LEGACY_GATES];

/* A 32-bit interrupt gate (APM volume 2, 4.7.4). */
static uint64_t gate(const char *handler)
{
	uint64_t at = (uint64_t)handler;

	return (at & 0xffff) | (uint64_t)VC_SELECTOR_32 << 16 | 0x8eull << 40 |
	       (at & 0xffff0000) << 32;
}

void vc_legacy_start(void)
{
	vc_legacy_idt[6] = gate(vc_legacy_ud);
	vc_legacy_idt[13] = gate(vc_legacy_gp);
	vc_legacy_idt[29] = gate(vc_legacy_vc);
	vc_legacy_vector = vc_legacy_error = vc_legacy_eip = 0;
}
