/* SPDX-License-Identifier: MIT */
#include "machine/hv/insn/handlers.h"

#include "core/image/host_model.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/exception.h"
#include "machine/hv/event/vc.h"
#include "machine/hv/insn/fetch.h"
#include "machine/hv/memory/stale.h"
#include "machine/hv/memory/tlb.h"
#include "machine/hv/plane/cpuid.h"

#define RAX_RESERVED 0xfc0ull
/* Valid VA, valid PCID, global entries, final translations only, nested translations. */
#define RAX_SCOPE 0x3bull
#define RAX_EVERYTHING 0x28ull
#define ECX_COUNT_MASK 0xffffu
#define ECX_RESERVED 0x7fff0000u
#define EDX_RESERVED 0xf0000000u

/* Operands as the manual has them. The ASID may be any: the CPU puts the guest's own there. */
static bool operands_legal(const struct plane *p)
{
	uint32_t ecx = (uint32_t)p->regs.rcx;

	return !(p->vmcb->rax & RAX_RESERVED) && !(ecx & ECX_RESERVED) &&
	       (ecx & ECX_COUNT_MASK) <= CPUID_INVLPGB_COUNT_MAX &&
	       !((uint32_t)p->regs.rdx & EDX_RESERVED);
}

/*
 * QEMU flushes at each exit, so nobody has an older translation of the guest's own tables once all
 * have left. Rights that were lost (stale.h) end at TLBSYNC, and only by an INVLPGB of everything:
 * any other may leave the one translation that has them.
 */
static void invalidate(struct vcpu *v)
{
	tlb_shootdown();
	if ((vcpu_plane(v)->vmcb->rax & RAX_SCOPE) == RAX_EVERYTHING)
		stale_broadcast(v->id);
}

/*
 * In the order of APM volume 2, table 15-7: #UD and the wrong CPL come before the intercept. The
 * host intercepts legal INVLPGBs (VMCB 014h bit 0); for the others there is an intercept of its
 * own, which it does not use.
 */
void insn_invlpgb(struct vcpu *v, const struct insn *insn)
{
	bool invalidates = insn->kind == INSN_INVLPGB;

	switch (hv_mailbox()->host.invlpgb) {
	case HOST_INVLPGB_ON:
	case HOST_INVLPGB_INTERCEPTED:
		break;
	default:
		exception_inject(v, X86_VECTOR_UD, false, 0);
		return;
	}
	if (plane_cpl(vcpu_plane(v)) != 0 || (invalidates && !operands_legal(vcpu_plane(v)))) {
		exception_inject(v, X86_VECTOR_GP, true, 0);
		return;
	}
	if (hv_mailbox()->host.invlpgb == HOST_INVLPGB_INTERCEPTED) {
		vc_raise(v, invalidates ? SVM_EXIT_INVLPGB : SVM_EXIT_TLBSYNC);
		return;
	}
	if (invalidates)
		invalidate(v);
	else
		stale_synchronize(v->id);
	insn_skip(v, insn->length);
}
