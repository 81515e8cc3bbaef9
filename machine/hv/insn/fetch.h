/* SPDX-License-Identifier: MIT */
/* The instruction that the current plane is at: reading it, and moving past it. */
#ifndef SOCLE_MACHINE_HV_INSN_FETCH_H
#define SOCLE_MACHINE_HV_INSN_FETCH_H

#include "machine/hv/insn/decode.h"
#include "machine/hv/plane/vcpu.h"

/*
 * Decodes the instruction at RIP. INSN_OTHER also when it cannot be read; then the guest gets the
 * page fault, if it is one, as it runs on.
 */
struct insn insn_fetch(struct vcpu *v);

/* Moves RIP past length bytes and ends the interrupt shadow. */
void insn_skip(struct vcpu *v, unsigned int length);

/*
 * Skips the instruction at RIP, which the exit says is of that kind. False, and nothing is skipped,
 * when another vCPU has written over it: then whatever is there now runs.
 */
bool insn_advance(struct vcpu *v, enum insn_kind kind);

/* The same; next becomes the instruction behind it, INSN_OTHER where that was not read as well. */
bool insn_advance_to(struct vcpu *v, enum insn_kind kind, struct insn *next);

/*
 * The linear address of an operand in memory. False: not canonical, or beyond its segment's limit,
 * so #GP (#SS on the stack).
 */
bool insn_linear(struct vcpu *v, const struct insn *insn, size_t size, uint64_t *linear);

/* Whether RIP, operands and registers are 64 bits wide. */
bool insn_is_64bit(const struct vmcb *c);

/* General register by its number in ModRM: 0 RAX, 1 RCX, 2 RDX, 3 RBX, 4 RSP, ... */
uint64_t *insn_register(struct plane *p, unsigned int reg);

#endif
