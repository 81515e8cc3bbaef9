/* SPDX-License-Identifier: MIT */
/* Instructions that raise #VC, in code segments of any width. */
#ifndef SOCLE_TESTS_MACHINE_VC_ASM_H
#define SOCLE_TESTS_MACHINE_VC_ASM_H

#include <stdint.h>

/* Of the GDT in guest/traps.S; the base of the 16-bit one is set when it is used. */
#define VC_SELECTOR_32 0x38u
#define VC_SELECTOR_16 0x40u

#define RULE_SCRATCH 0x100000ull /* an address that every actor may read: the image's start */

#define VC_LEGACY_GATES 32u

struct vc_jump {
	uint64_t rip, selector, rax, rcx, rdx;
};

/* Goes there with these registers, and comes back by an exception alone. */
void vc_execute(const struct vc_jump *jump);

/* 32-bit gates, and what the last exception that went through them was. */
extern uint64_t vc_legacy_idt[VC_LEGACY_GATES];
extern uint32_t vc_legacy_vector, vc_legacy_error, vc_legacy_eip;
void vc_legacy_start(void);
void vc_legacy_clear(void);

/*
 * Real mode reaches no more than the first MiB: a page there, with what is at which offset of it.
 */
#define VC_REAL_PAGE 0x10000u
#define VC_REAL_RESULT 0x400u /* vector, IP; the table of vectors is below */
#define VC_REAL_HANDLERS 0x500u
#define VC_REAL_CODE 0x800u
#define VC_REAL_STACK 0xf00u

/* Fills the page, with that instruction. */
void vc_real_start(const uint8_t *code, unsigned int size);

/* Takes what its handlers noted as the last exception. */
void vc_real_take(void);

extern const uint8_t vc_real_handlers[], vc_real_handlers_end[];

extern char vc_legacy_vc[], vc_legacy_gp[], vc_legacy_ud[];
extern uint8_t vc_gdt[] __asm__("gdt");

#endif
