/* SPDX-License-Identifier: MIT */
#include "machine/hv/insn/handlers.h"

#include "machine/hv/base/counters.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/exception.h"
#include "machine/hv/event/inject.h"
#include "machine/hv/event/vc.h"
#include "machine/hv/insn/fetch.h"

#define DR7_ENABLED 0xffull	 /* breakpoints, local and global */
#define EFER_WRITABLE 0x1ffffull /* SCE up to the highest bit of this family */

static void write_efer(struct vcpu *v, uint64_t value)
{
	struct vmcb *c = vcpu_plane(v)->vmcb;

	if ((c->cr0 & X86_CR0_PG) && ((c->efer ^ value) & X86_EFER_LME)) {
		exception_inject(v, X86_VECTOR_GP, true, 0);
		return;
	}
	/* LMA follows paging; SVME cannot be lost, or VMRUN would refuse the guest. */
	c->efer = (value & EFER_WRITABLE & ~X86_EFER_LMA) | (c->efer & X86_EFER_LMA) |
		  X86_EFER_SVME;
	insn_advance(v, INSN_WRMSR);
}

/*
 * Whether a CPU would go on with the next instruction at once: no event is to be delivered first,
 * at this level or a more privileged one, and the guest traces nothing.
 */
static bool goes_on(struct vcpu *v)
{
	const struct vmcb *c = vcpu_plane(v)->vmcb;

	if ((c->rflags & X86_RFLAGS_TF) || (c->dr7 & DR7_ENABLED) || hv_mailbox()->storm_us ||
	    hv_mailbox()->sweeps || hv_mailbox()->every_us)
		return false;
	for (unsigned int vmpl = 0; vmpl <= v->current; vmpl++)
		if (v->planes[vmpl].state != PLANE_NONE && inject_pending(&v->planes[vmpl]))
			return false;
	return true;
}

/*
 * Guests write it just before each VMGEXIT. A CPU does so without an exit; here it is one, and the
 * second is saved by doing both at once.
 */
static void write_ghcb_msr(struct vcpu *v, uint64_t value)
{
	struct insn next;

	vcpu_plane(v)->ghcb_msr = value;
	if (!insn_advance_to(v, INSN_WRMSR, &next) || next.kind != INSN_VMGEXIT || !goes_on(v))
		return;
	counters_exit(v->id, v->current, SVM_EXIT_VMMCALL);
	insn_vmgexit(v, &next);
}

/* Where an MSR's value is kept, NULL for those that are #VC. */
static uint64_t *value_of(struct plane *p, uint32_t msr)
{
	switch (msr) {
	case X86_MSR_EFER:
		return &p->vmcb->efer;
	case SNP_MSR_GHCB:
		return &p->ghcb_msr;
	case X86_MSR_PAT:
		return &p->vmcb->g_pat;
	case X86_MSR_DEBUGCTL:
		return &p->vmcb->dbgctl;
	case X86_MSR_XSS:
		return &p->xss;
	default:
		return NULL;
	}
}

static void write_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
	uint64_t *kept = value_of(vcpu_plane(v), msr);

	if (msr == X86_MSR_EFER) {
		write_efer(v, value);
	} else if (msr == SNP_MSR_GHCB) {
		write_ghcb_msr(v, value);
	} else if (kept == NULL) {
		vc_raise(v, SVM_EXIT_MSR);
	} else if (msr == X86_MSR_XSS && value != 0) {
		exception_inject(v, X86_VECTOR_GP, true, 0);
	} else {
		*kept = value;
		insn_advance(v, INSN_WRMSR);
	}
}

static void read_msr(struct vcpu *v, uint32_t msr)
{
	struct plane *p = vcpu_plane(v);
	uint64_t status = SNP_SEV_STATUS_SEV | SNP_SEV_STATUS_ES |
			  p->sev_features << SNP_SEV_STATUS_FEATURES_SHIFT;
	uint64_t mhz = hv_mailbox()->tsc_mhz * p->tsc_scale >> 32;
	const uint64_t *kept = value_of(p, msr);

	if (msr == SNP_MSR_SEV_STATUS)
		kept = &status;
	else if (msr == SNP_MSR_GUEST_TSC_FREQ && (p->sev_features & SNP_FEATURE_SECURE_TSC))
		kept = &mhz;
	if (kept == NULL) {
		vc_raise(v, SVM_EXIT_MSR);
		return;
	}
	p->vmcb->rax = (uint32_t)*kept;
	p->regs.rdx = *kept >> 32;
	insn_advance(v, INSN_RDMSR);
}

void insn_msr(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);
	uint32_t msr = (uint32_t)p->regs.rcx;

	if (plane_cpl(p) != 0)
		exception_inject(v, X86_VECTOR_GP, true, 0);
	else if (p->vmcb->exit_info_1)
		write_msr(v, msr, (uint32_t)p->vmcb->rax | p->regs.rdx << 32);
	else
		read_msr(v, msr);
}
