/* SPDX-License-Identifier: MIT */
#include "machine/hv/insn/emulate.h"

#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/device/hold.h"
#include "machine/hv/event/vc.h"
#include "machine/hv/insn/invlpgb.h"
#include "machine/hv/memory/convert.h"
#include "machine/hv/memory/npt.h"
#include "machine/hv/memory/stale.h"
#include "machine/hv/plane/overlap.h"
#include "machine/hv/plane/walk.h"
#include "machine/hv/run/nested_fault.h"
#include "machine/hv/vmgexit/ghcb.h"

#define CR3_INTERCEPT (1u << 3)
#define CR0_LOW_MASK 0xffffffffull
#define CR0_LMSW_MASK 0xfull
#define RFLAGS_ZF (1ull << 6)

unsigned int emulate_cpl(const struct vcpu *v)
{
	/* QEMU keeps the CPL in SS, not in the VMCB's own field. */
	return v->planes[v->current].vmcb->ss.attributes >> 5 & 3;
}

static bool long_mode_code(const struct vmcb *c)
{
	return (c->efer & X86_EFER_LMA) && (c->cs.attributes & X86_SEGMENT_LONG);
}

static uint64_t linear_rip(const struct vmcb *c)
{
	return long_mode_code(c) ? c->rip : (uint32_t)(c->cs.base + c->rip);
}

struct insn emulate_fetch(struct vcpu *v)
{
	const struct vmcb *c = vcpu_plane(v)->vmcb;
	uint64_t at = linear_rip(c);
	size_t left = ABI_PAGE_SIZE - at % ABI_PAGE_SIZE;
	unsigned int access = WALK_FETCH | (emulate_cpl(v) == 3 ? WALK_USER : 0);
	uint8_t bytes[INSN_MAX];
	size_t have = INSN_MAX;

	/* The instruction may end before a next page that is not there. */
	if (walk_read(v, at, bytes, INSN_MAX, access).status != WALK_OK) {
		have = left < INSN_MAX ? left : 0;
		if (!have || walk_read(v, at, bytes, have, access).status != WALK_OK)
			return (struct insn){ .kind = INSN_OTHER };
	}
	return insn_decode(bytes, have, long_mode_code(c));
}

void emulate_skip(struct vcpu *v, unsigned int length)
{
	struct vmcb *c = vcpu_plane(v)->vmcb;

	c->rip += length;
	if (!long_mode_code(c))
		c->rip = (uint32_t)c->rip;
	c->int_state = 0;
}

void emulate_advance(struct vcpu *v, enum insn_kind kind)
{
	struct insn insn = emulate_fetch(v);

	/* Another vCPU may have written over it: then whatever is there now runs. */
	if (insn.kind == kind)
		emulate_skip(v, insn.length);
}

uint64_t *emulate_register(struct plane *p, unsigned int reg)
{
	switch (reg) {
	case 0:
		return &p->vmcb->rax;
	case 1:
		return &p->regs.rcx;
	case 2:
		return &p->regs.rdx;
	case 3:
		return &p->regs.rbx;
	case 4:
		return &p->vmcb->rsp;
	case 5:
		return &p->regs.rbp;
	case 6:
		return &p->regs.rsi;
	case 7:
		return &p->regs.rdi;
	default:
		return &p->regs.r8 + (reg - 8);
	}
}

/* The operand of PVALIDATE and RMPADJUST. False: the guest has its fault, or tries again. */
static bool translate_operand(struct vcpu *v, uint64_t *gpa)
{
	struct vmcb *c = vcpu_plane(v)->vmcb;
	uint64_t linear = long_mode_code(c) ? c->rax : (uint32_t)(c->ds.base + c->rax);
	struct walk_result r = walk_linear(v, linear, 0);

	if (r.status == WALK_OK) {
		*gpa = r.gpa;
		return true;
	}
	if (r.status == WALK_NPF) {
		if (npf_walk(v, &r) == NPF_NOT_VALIDATED)
			vc_raise(v, VC_PAGE_NOT_VALIDATED);
		return false;
	}
	c->cr2 = r.linear;
	vcpu_inject_exception(v, X86_VECTOR_PF, true, r.error);
	return false;
}

/*
 * What follows an RMP instruction that did not end by itself. True: the host has mended the RMP,
 * and the instruction is to be tried again.
 */
static bool mend(struct vcpu *v, enum rmp_status status, uint64_t gpa)
{
	const struct plane *p = vcpu_plane(v);

	if (status == RMP_NEEDS_SMASH)
		return rmp_smash(npt_rmp_table(), gpa >> ABI_PAGE_SHIFT) == SNP_RESULT_OK;
	if (status == RMP_NOT_VALIDATED) {
		vc_raise(v, VC_PAGE_NOT_VALIDATED);
		return false;
	}
	if (status == RMP_NOT_ASSIGNED && convert_to_private(v, gpa))
		return true;
	hv_log("RMP instruction of VMPL %u on %lx: %s", p->cpu_vmpl, gpa,
	       status == RMP_NOT_RAM ? "not RAM" : "the page is shared");
	hv_stop(MAILBOX_STOP_RMP_VIOLATION, p->cpu_vmpl, gpa, VMCB_NPF_RMP, p->vmcb->rip);
}

static struct rmp_outcome execute(struct vcpu *v, enum insn_kind kind, uint64_t gpa)
{
	const struct plane *p = vcpu_plane(v);
	uint64_t page = gpa >> ABI_PAGE_SHIFT;
	uint64_t rcx = p->regs.rcx;

	if (kind == INSN_PVALIDATE)
		return rmp_pvalidate(npt_rmp_table(), page, (uint32_t)rcx, p->regs.rdx & 1);
	return rmp_adjust(npt_rmp_table(), p->cpu_vmpl, page,
			  rcx > SNP_PAGE_2M ? SNP_PAGE_2M + 1 : (uint32_t)rcx, p->regs.rdx);
}

static void rmp_instruction(struct vcpu *v, const struct insn *insn)
{
	struct plane *p = vcpu_plane(v);
	struct rmp_outcome out;
	uint64_t gpa;

	if (emulate_cpl(v) != 0 || (insn->kind == INSN_PVALIDATE && p->cpu_vmpl != 0)) {
		vcpu_inject_exception(v, X86_VECTOR_GP, true, 0);
		return;
	}
	if (hold_strikes(v) || !translate_operand(v, &gpa))
		return;
	for (out = execute(v, insn->kind, gpa); out.status != RMP_DONE;
	     out = execute(v, insn->kind, gpa))
		if (!mend(v, out.status, gpa))
			return;
	npt_sync(gpa & ~(uint64_t)(ABI_PAGE_SIZE - 1),
		 p->regs.rcx == SNP_PAGE_2M ? RMP_PAGES_2M : 1);
	p->vmcb->rax = out.eax;
	p->vmcb->rflags &= ~(X86_RFLAGS_CF | RFLAGS_ZF);
	if (insn->kind == INSN_PVALIDATE && out.unchanged)
		p->vmcb->rflags |= X86_RFLAGS_CF;
	if (out.eax == SNP_RESULT_OK)
		p->vmcb->rflags |= RFLAGS_ZF;
	emulate_skip(v, insn->length);
}

void emulate_undefined(struct vcpu *v)
{
	struct insn insn = emulate_fetch(v);

	if (insn.kind == INSN_PVALIDATE || insn.kind == INSN_RMPADJUST)
		rmp_instruction(v, &insn);
	else if (insn.kind == INSN_INVLPGB || insn.kind == INSN_TLBSYNC)
		invlpgb_instruction(v, &insn);
	else
		vcpu_inject_exception(v, X86_VECTOR_UD, false, 0);
}

void emulate_vmmcall(struct vcpu *v)
{
	struct insn insn = emulate_fetch(v);

	if (insn.kind != INSN_VMGEXIT) {
		vc_raise(v, SVM_EXIT_VMMCALL);
		return;
	}
	if (hold_strikes(v) || overlap_vmgexit(v))
		return;
	emulate_skip(v, insn.length);
	ghcb_vmgexit(v);
}

bool emulate_private_cr3(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);

	if (p->vmcb->cr3 & HV_C_BIT)
		return false;
	p->guest_cr3 = p->vmcb->cr3;
	p->vmcb->cr3 |= HV_C_BIT;
	p->vmcb->intercept_cr_read |= CR3_INTERCEPT;
	p->vmcb->intercept_cr_write |= CR3_INTERCEPT;
	return true;
}

void emulate_track_cr3(struct plane *p)
{
	if (!(p->vmcb->intercept_cr_write & CR3_INTERCEPT))
		p->guest_cr3 = p->vmcb->cr3;
}

static void write_cr3(struct plane *p, uint64_t value)
{
	p->guest_cr3 = value;
	p->vmcb->cr3 = value | HV_C_BIT;
	if (!(value & HV_C_BIT))
		return;
	p->vmcb->intercept_cr_read &= (uint16_t)~CR3_INTERCEPT;
	p->vmcb->intercept_cr_write &= (uint16_t)~CR3_INTERCEPT;
}

static bool cr0_legal(const struct vmcb *c, uint64_t value)
{
	bool paging_on = (value & X86_CR0_PG) && !(c->cr0 & X86_CR0_PG);
	bool paging_off = !(value & X86_CR0_PG) && (c->cr0 & X86_CR0_PG);

	if (value & ~CR0_LOW_MASK)
		return false;
	if ((value & X86_CR0_PG) && !(value & X86_CR0_PE))
		return false;
	if ((value & X86_CR0_NW) && !(value & X86_CR0_CD))
		return false;
	if (paging_on && (c->efer & X86_EFER_LME) && !(c->cr4 & X86_CR4_PAE))
		return false;
	return !(paging_off && long_mode_code(c));
}

/* With paging off, and in 32-bit tables, there is no C-bit: every access is private. */
static void write_cr0(struct vcpu *v, uint64_t value, unsigned int length)
{
	struct plane *p = vcpu_plane(v);
	struct vmcb *c = p->vmcb;

	if (!cr0_legal(c, value)) {
		vcpu_inject_exception(v, X86_VECTOR_GP, true, 0);
		return;
	}
	if ((value ^ c->cr0) & X86_CR0_PG)
		stale_flush(v->id, p->cpu_vmpl);
	c->cr0 = value | X86_CR0_ET;
	c->efer &= ~X86_EFER_LMA;
	if ((value & X86_CR0_PG) && (c->efer & X86_EFER_LME))
		c->efer |= X86_EFER_LMA;
	p->flat = !(value & X86_CR0_PG) || !(c->cr4 & X86_CR4_PAE);
	c->tlb_control = VMCB_TLB_FLUSH_ALL;
	emulate_skip(v, length);
}

/*
 * Only seen while the plane has rights that were lost. A change of PGE, PAE or PSE ends them (APM
 * volume 2, 5.5.3), and any other change may: then the CPU does the write, which is seen no more.
 */
static void write_cr4(struct vcpu *v, uint64_t value, unsigned int length)
{
	struct plane *p = vcpu_plane(v);

	if (value == p->vmcb->cr4)
		emulate_skip(v, length);
	else
		stale_flush(v->id, p->cpu_vmpl);
}

static uint64_t read_cr(const struct plane *p, unsigned int control)
{
	switch (control) {
	case 0:
		return p->vmcb->cr0;
	case 2:
		return p->vmcb->cr2;
	case 3:
		return p->guest_cr3;
	case 4:
		return p->vmcb->cr4;
	default:
		return p->vmcb->int_control & 0xf; /* CR8: V_TPR */
	}
}

void emulate_control_register(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);
	struct insn insn = emulate_fetch(v);
	uint64_t *reg = emulate_register(p, insn.reg);
	bool wide = long_mode_code(p->vmcb);
	uint64_t value = wide ? *reg : (uint32_t)*reg;

	if (insn.kind == INSN_MOV_TO_CR && insn.control == 3) {
		write_cr3(p, value);
		emulate_skip(v, insn.length);
	} else if (insn.kind == INSN_MOV_TO_CR && insn.control == 0) {
		write_cr0(v, value, insn.length);
	} else if (insn.kind == INSN_MOV_TO_CR && insn.control == 4) {
		write_cr4(v, value, insn.length);
	} else if (insn.kind == INSN_LMSW_REGISTER) {
		/* LMSW sets PE but never clears it. */
		value = (p->vmcb->cr0 & ~(CR0_LMSW_MASK & ~X86_CR0_PE)) | (value & CR0_LMSW_MASK);
		write_cr0(v, value, insn.length);
	} else if (insn.kind == INSN_MOV_FROM_CR) {
		value = read_cr(p, insn.control);
		*reg = wide ? value : (uint32_t)value;
		emulate_skip(v, insn.length);
	} else {
		vcpu_inject_exception(v, X86_VECTOR_UD, false, 0);
	}
}
