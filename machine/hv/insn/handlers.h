/* SPDX-License-Identifier: MIT */
/*
 * Instructions of the current plane that the hypervisor carries out in the place of the CPU, a file
 * each or a few that belong together. run/exit.c and undefined.c have the tables that lead here.
 */
#ifndef SOCLE_MACHINE_HV_INSN_HANDLERS_H
#define SOCLE_MACHINE_HV_INSN_HANDLERS_H

#include "machine/hv/insn/decode.h"
#include "machine/hv/plane/vcpu.h"

/* #UD intercept: what QEMU does not know, by the table, or an invalid instruction. */
void insn_undefined(struct vcpu *v);
void insn_rmp(struct vcpu *v, const struct insn *insn);	    /* PVALIDATE, RMPADJUST, RMPQUERY */
void insn_invlpgb(struct vcpu *v, const struct insn *insn); /* INVLPGB, TLBSYNC */
void insn_xsave(struct vcpu *v, const struct insn *insn);   /* XSAVEC, XSAVES, XRSTORS, XRSTOR */
void insn_icebp(struct vcpu *v, const struct insn *insn);   /* INT1, which QEMU 7.2 does not know */

/* #GP intercept: XRSTOR of a compacted area, or the guest's own fault. */
void insn_general_protection(struct vcpu *v);

/* VMGEXIT, at RIP. */
void insn_vmgexit(struct vcpu *v, const struct insn *insn);

/*
 * Their intercepts: VMMCALL or VMGEXIT, HLT, RDMSR and WRMSR, RDTSC and RDTSCP, writes and reads of
 * CRs.
 */
void insn_vmmcall(struct vcpu *v);
void insn_hlt(struct vcpu *v);
void insn_msr(struct vcpu *v);
void insn_tsc(struct vcpu *v);
void insn_control_register(struct vcpu *v);

/*
 * From now on the plane runs with the C-bit in CR3 that the guest left out: walks are private on
 * hardware in any case. False when CR3 has the C-bit already.
 */
bool insn_private_cr3(struct vcpu *v);

/* After every exit: keeps guest_cr3 true while CR3 writes are not intercepted. */
void insn_track_cr3(struct plane *p);

#endif
