/* SPDX-License-Identifier: MIT */
/* Instructions that the hypervisor carries out in the place of the CPU. */
#ifndef SOCLE_MACHINE_HV_INSN_EMULATE_H
#define SOCLE_MACHINE_HV_INSN_EMULATE_H

#include "machine/hv/insn/decode.h"
#include "machine/hv/plane/vcpu.h"

/* Privilege level of the current plane. */
unsigned int emulate_cpl(const struct vcpu *v);

/*
 * Decodes the instruction at RIP. INSN_OTHER also when it cannot be read; then the guest gets the
 * page fault, if it is one, as it runs on.
 */
struct insn emulate_fetch(struct vcpu *v);

/* Moves RIP past length bytes and ends the interrupt shadow. */
void emulate_skip(struct vcpu *v, unsigned int length);

/* As emulate_skip(), over the instruction at RIP, which the exit says is of that kind. */
void emulate_advance(struct vcpu *v, enum insn_kind kind);

/* General register by its number in ModRM: 0 RAX, 1 RCX, 2 RDX, 3 RBX, 4 RSP, ... */
uint64_t *emulate_register(struct plane *p, unsigned int reg);

/* #UD intercept: what QEMU does not know (RMP instructions, INVLPGB), or an invalid instruction. */
void emulate_undefined(struct vcpu *v);

/* VMMCALL intercept: VMGEXIT, or VMMCALL, which is #VC. */
void emulate_vmmcall(struct vcpu *v);

/* Writes and reads of control registers that are intercepted. */
void emulate_control_register(struct vcpu *v);

/*
 * From now on the plane runs with the C-bit in CR3 that the guest left out: walks are private on
 * hardware in any case. False when CR3 has the C-bit already.
 */
bool emulate_private_cr3(struct vcpu *v);

/* After every exit: keeps guest_cr3 true while CR3 writes are not intercepted. */
void emulate_track_cr3(struct plane *p);

#endif
