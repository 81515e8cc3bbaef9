/* SPDX-License-Identifier: MIT */
#include "machine/hv/invlpgb.h"

#include "machine/hv/cpuid.h"
#include "machine/hv/emulate.h"
#include "machine/hv/log.h"
#include "machine/hv/npt.h"
#include "machine/hv/vc.h"
#include "machine/hv/x86.h"

#define RAX_RESERVED 0xfc0ull
#define ECX_COUNT_MASK 0xffffu
#define ECX_RESERVED 0x7fff0000u
#define EDX_RESERVED 0xf0000000u

bool invlpgb_offered(void)
{
	return hv_mailbox()->invlpgb != MAILBOX_INVLPGB_HIDDEN;
}

/* Operands as the manual has them. The ASID may be any: the CPU puts the guest's own there. */
static bool operands_legal(const struct plane *p)
{
	uint32_t ecx = (uint32_t)p->regs.rcx;

	return !(p->vmcb->rax & RAX_RESERVED) && !(ecx & ECX_RESERVED) &&
	       (ecx & ECX_COUNT_MASK) <= CPUID_INVLPGB_COUNT_MAX &&
	       !((uint32_t)p->regs.rdx & EDX_RESERVED);
}

/*
 * In the order of APM volume 2, 15.7: #UD and the wrong CPL come before the intercept. The host
 * intercepts legal INVLPGBs (VMCB 014h bit 0); for the others there is an intercept of its own,
 * which it does not use.
 */
void invlpgb_instruction(struct vcpu *v, const struct insn *insn)
{
	bool invalidates = insn->kind == INSN_INVLPGB;

	switch (hv_mailbox()->invlpgb) {
	case MAILBOX_INVLPGB_ON:
	case MAILBOX_INVLPGB_INTERCEPTED:
		break;
	default:
		vcpu_inject_exception(v, X86_VECTOR_UD, false, 0);
		return;
	}
	if (emulate_cpl(v) != 0 || (invalidates && !operands_legal(vcpu_plane(v)))) {
		vcpu_inject_exception(v, X86_VECTOR_GP, true, 0);
		return;
	}
	if (hv_mailbox()->invlpgb == MAILBOX_INVLPGB_INTERCEPTED) {
		vc_raise(v, invalidates ? SVM_EXIT_INVLPGB : SVM_EXIT_TLBSYNC);
		return;
	}
	/* QEMU flushes at each exit, so nobody has an older translation once all have left. */
	if (invalidates)
		npt_shootdown();
	emulate_skip(v, insn->length);
}
