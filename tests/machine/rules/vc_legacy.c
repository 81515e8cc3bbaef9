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
}

void vc_legacy_clear(void)
{
	vc_legacy_vector = vc_legacy_error = vc_legacy_eip = 0;
}

/* Handlers of all vectors, each as long as the first (vc_asm.S). */
#define REAL_HANDLER_SIZE 5u

void vc_real_start(const uint8_t *code, unsigned int size)
{
	volatile uint8_t *page = (volatile uint8_t *)(uint64_t)VC_REAL_PAGE;
	volatile uint16_t *vectors = (volatile uint16_t *)page;

	for (unsigned int i = 0; i < VC_LEGACY_GATES; i++) {
		vectors[2 * i] = (uint16_t)(VC_REAL_HANDLERS + REAL_HANDLER_SIZE * i);
		vectors[2 * i + 1] = VC_REAL_PAGE >> 4;
	}
	for (unsigned int i = 0; vc_real_handlers + i < vc_real_handlers_end; i++)
		page[VC_REAL_HANDLERS + i] = vc_real_handlers[i];
	for (unsigned int i = 0; i < size; i++)
		page[VC_REAL_CODE + i] = code[i];
}

void vc_real_take(void)
{
	const volatile uint16_t *result =
		(const volatile uint16_t *)(uint64_t)(VC_REAL_PAGE + VC_REAL_RESULT);

	vc_legacy_vector = result[0];
	vc_legacy_error = 0; /* there is none in real mode */
	vc_legacy_eip = result[1];
}
