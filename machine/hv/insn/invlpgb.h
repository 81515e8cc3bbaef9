/* SPDX-License-Identifier: MIT */
/*
 * INVLPGB and TLBSYNC (APM volume 3): a guest ends translations of the whole VM, on all CPUs. The
 * host's switch is enum mailbox_invlpgb.
 */
#ifndef SOCLE_MACHINE_HV_INSN_INVLPGB_H
#define SOCLE_MACHINE_HV_INSN_INVLPGB_H

#include "machine/hv/insn/decode.h"
#include "machine/hv/plane/vcpu.h"

/* Whether CPUID names the instructions. */
bool invlpgb_offered(void);

/* Carries out INSN_INVLPGB or INSN_TLBSYNC of the current plane. */
void invlpgb_instruction(struct vcpu *v, const struct insn *insn);

#endif
