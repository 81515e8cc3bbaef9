/* SPDX-License-Identifier: MIT */
#include "machine/hv/insn/handlers.h"

#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/device/hold.h"
#include "machine/hv/event/exception.h"
#include "machine/hv/event/vc.h"
#include "machine/hv/insn/fetch.h"
#include "machine/hv/memory/npt.h"
#include "machine/hv/memory/page_state.h"
#include "machine/hv/plane/walk.h"

#define RFLAGS_ZF (1ull << 6)

/*
 * The operand of PVALIDATE, RMPADJUST and RMPQUERY. False: the guest has its fault, or tries again.
 */
static bool translate_operand(struct vcpu *v, uint64_t *gpa)
{
	struct vmcb *c = vcpu_plane(v)->vmcb;
	uint64_t linear = insn_is_64bit(c) ? c->rax : (uint32_t)(c->ds.base + c->rax);
	struct walk_result r = walk_linear(v, linear, 0);

	if (r.status == WALK_OK) {
		*gpa = r.gpa;
		return true;
	}
	if (r.status == WALK_NPF) {
		if (walk_fault(v, &r) == WALK_NOT_VALIDATED)
			vc_raise(v, VC_PAGE_NOT_VALIDATED);
		return false;
	}
	c->cr2 = r.linear;
	exception_inject(v, X86_VECTOR_PF, true, r.error);
	return false;
}

/*
 * What follows an RMP instruction that did not end by itself. True: the host has fixed the RMP,
 * and the instruction is to be tried again.
 */
static bool resolve(struct vcpu *v, enum rmp_status status, uint64_t gpa)
{
	const struct plane *p = vcpu_plane(v);

	if (status == RMP_NEEDS_SMASH)
		return rmp_smash(guest_rmp_table(), guest_page(gpa)) == SNP_RESULT_OK;
	if (status == RMP_NOT_VALIDATED) {
		vc_raise(v, VC_PAGE_NOT_VALIDATED);
		return false;
	}
	if (status == RMP_NOT_ASSIGNED && page_state_make_private(v->id, v->current, gpa))
		return true;
	hv_log("RMP instruction of VMPL %u on %lx: %s", p->cpu_vmpl, gpa,
	       !guest_is_ram(gpa) ? "not RAM" : "the page is shared");
	hv_stop(MAILBOX_STOP_RMP_VIOLATION, p->cpu_vmpl, gpa, VMCB_NPF_RMP, p->vmcb->rip);
}

static struct rmp_outcome execute(struct vcpu *v, enum insn_kind kind, uint64_t gpa)
{
	const struct plane *p = vcpu_plane(v);
	uint64_t page = guest_page(gpa);
	uint64_t rcx = p->regs.rcx;

	if (kind == INSN_PVALIDATE)
		return rmp_pvalidate(guest_rmp_table(), page, (uint32_t)rcx, p->regs.rdx & 1);
	return rmp_adjust(guest_rmp_table(), p->cpu_vmpl, page,
			  rcx > SNP_PAGE_2M ? SNP_PAGE_2M + 1 : (uint32_t)rcx, p->regs.rdx);
}

/* The registers of RMPQUERY: RCX the size, RDX rights and VMSA bit (APM volume 3). */
static void query(struct vcpu *v, const struct insn *insn, uint64_t gpa)
{
	struct plane *p = vcpu_plane(v);
	struct rmp_answer answer;
	struct rmp_outcome out = rmp_query(guest_rmp_table(), p->cpu_vmpl, guest_page(gpa),
					   p->regs.rdx, &answer);

	/* Where the host fixes it, the instruction comes again. */
	if (out.status != RMP_DONE) {
		(void)resolve(v, out.status, gpa);
		return;
	}
	if (out.eax == SNP_RESULT_OK) {
		p->regs.rcx = answer.size;
		p->regs.rdx = answer.rdx;
	}
	p->vmcb->rax = out.eax;
	p->vmcb->rflags &= ~RFLAGS_ZF;
	if (out.eax == SNP_RESULT_OK)
		p->vmcb->rflags |= RFLAGS_ZF;
	insn_skip(v, insn->length);
}

void insn_rmp(struct vcpu *v, const struct insn *insn)
{
	struct plane *p = vcpu_plane(v);
	struct rmp_outcome out;
	uint64_t gpa;

	if (plane_cpl(vcpu_plane(v)) != 0 || (insn->kind == INSN_PVALIDATE && p->cpu_vmpl != 0)) {
		exception_inject(v, X86_VECTOR_GP, true, 0);
		return;
	}
	if ((insn->kind != INSN_RMPQUERY && hold_strikes(v)) || !translate_operand(v, &gpa))
		return;
	if (insn->kind == INSN_RMPQUERY) {
		query(v, insn, gpa);
		return;
	}
	for (out = execute(v, insn->kind, gpa); out.status != RMP_DONE;
	     out = execute(v, insn->kind, gpa))
		if (!resolve(v, out.status, gpa))
			return;
	npt_sync(gpa & ~(uint64_t)(ABI_PAGE_SIZE - 1),
		 p->regs.rcx == SNP_PAGE_2M ? RMP_PAGES_2M : 1);
	p->vmcb->rax = out.eax;
	p->vmcb->rflags &= ~(X86_RFLAGS_CF | RFLAGS_ZF);
	if (insn->kind == INSN_PVALIDATE && out.unchanged)
		p->vmcb->rflags |= X86_RFLAGS_CF;
	if (out.eax == SNP_RESULT_OK)
		p->vmcb->rflags |= RFLAGS_ZF;
	insn_skip(v, insn->length);
}
