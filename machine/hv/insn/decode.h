/* SPDX-License-Identifier: MIT */
/*
 * Decoding of the few instructions that the hypervisor carries out itself. Pure: bytes in, fields
 * out (APM volume 3, chapter 1).
 */
#ifndef SOCLE_MACHINE_HV_INSN_DECODE_H
#define SOCLE_MACHINE_HV_INSN_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_MAX 15u

enum insn_kind {
	INSN_OTHER, /* not one of these, or not all of it is there */
	INSN_HLT,
	INSN_RDMSR,
	INSN_WRMSR,
	INSN_RDTSC,
	INSN_RDTSCP,
	INSN_VMMCALL,
	INSN_VMGEXIT,
	INSN_PVALIDATE,
	INSN_RMPADJUST,
	INSN_INVLPGB,
	INSN_TLBSYNC,
	INSN_MOV_TO_CR,
	INSN_MOV_FROM_CR,
	INSN_LMSW_REGISTER,
	INSN_SMSW_REGISTER,
	INSN_RMPQUERY,
	INSN_ICEBP,
	INSN_XSAVEC, /* these four with an operand in memory */
	INSN_XSAVES,
	INSN_XRSTOR,
	INSN_XRSTORS,
};

#define INSN_NO_REGISTER 0xffu

/* An operand in memory, as ModRM has it: base + (index << scale) + displacement. */
struct insn_address {
	uint8_t base, index; /* general registers, or INSN_NO_REGISTER */
	uint8_t scale;
	uint8_t segment; /* the byte of its prefix: 64 FS, 65 GS, ...; 0: none */
	bool from_next;	 /* the base is RIP after the instruction */
	bool narrow;	 /* 32 bits wide */
	bool on_stack;	 /* the base is RSP or RBP: SS unless a prefix says otherwise */
	int32_t displacement;
};

struct insn {
	enum insn_kind kind;
	unsigned int length;  /* bytes, with prefixes */
	unsigned int control; /* CR number of a MOV */
	unsigned int reg;     /* general register: 0 RAX, 1 RCX, 2 RDX, 3 RBX, 4 RSP, 5 RBP, ... */
	struct insn_address address;
	bool wide, operand_16; /* of a system instruction: REX.W, and the prefix 66 */
};

/* Decodes the instruction at the start of size bytes; long_mode: CS.L is set. */
struct insn insn_decode(const uint8_t *bytes, size_t size, bool long_mode);

#endif
