/* SPDX-License-Identifier: MIT */
#include "machine/hv/insn/handlers.h"

#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/exception.h"
#include "machine/hv/insn/fetch.h"
#include "machine/hv/memory/guest.h"
#include "machine/hv/memory/stale.h"

#define CR3_INTERCEPT (1u << 3)
#define CR0_INTERCEPT (1u << 0)
#define QEMU_8 (8u << 8)
#define CR0_LOW_MASK 0xffffffffull
#define CR0_LMSW_MASK 0xfull

/*
 * QEMU 10 decides by the bit of CR0 whether a read of any control register exits; 7.2 by that of
 * each, and firmware whose CR3 is without C-bit reads all of them at each of its exceptions.
 */
static uint16_t cr3_read_intercepts(void)
{
	const uint32_t version = hv_mailbox()->qemu_version;

	return version && version < QEMU_8 ? CR3_INTERCEPT : CR3_INTERCEPT | CR0_INTERCEPT;
}

bool insn_private_cr3(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);

	if (p->vmcb->cr3 & HV_C_BIT)
		return false;
	p->guest_cr3 = p->vmcb->cr3;
	p->vmcb->cr3 |= HV_C_BIT;
	p->vmcb->intercept_cr_read |= cr3_read_intercepts();
	p->vmcb->intercept_cr_write |= CR3_INTERCEPT;
	return true;
}

void insn_track_cr3(struct plane *p)
{
	if (!(p->vmcb->intercept_cr_write & CR3_INTERCEPT))
		p->guest_cr3 = p->vmcb->cr3;
	else
		p->vmcb->intercept_cr_read |= cr3_read_intercepts();
}

static void write_cr3(struct plane *p, uint64_t value)
{
	p->guest_cr3 = value;
	p->vmcb->cr3 = value | HV_C_BIT;
	if (!(value & HV_C_BIT))
		return;
	p->vmcb->intercept_cr_read &= (uint16_t)~cr3_read_intercepts();
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
	return !(paging_off && insn_is_64bit(c));
}

/* With paging off, and in 32-bit tables, there is no C-bit: every access is private. */
static void write_cr0(struct vcpu *v, uint64_t value, unsigned int length)
{
	struct plane *p = vcpu_plane(v);
	struct vmcb *c = p->vmcb;

	if (!cr0_legal(c, value)) {
		exception_inject(v, X86_VECTOR_GP, true, 0);
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
	insn_skip(v, length);
}

/*
 * Only seen while the plane has rights that were lost. A change of PGE, PAE or PSE ends them (APM
 * volume 2, 5.5.3), and any other change may: then the CPU does the write, which is seen no more.
 */
static void write_cr4(struct vcpu *v, uint64_t value, unsigned int length)
{
	struct plane *p = vcpu_plane(v);

	if (value == p->vmcb->cr4)
		insn_skip(v, length);
	else
		stale_flush(v->id, p->cpu_vmpl);
}

/* The next entry looks at what may be delivered now (event/inject.c). */
static void write_cr8(struct vcpu *v, uint64_t value, unsigned int length)
{
	struct vmcb *c = vcpu_plane(v)->vmcb;

	if (value & ~(uint64_t)VMCB_INT_V_TPR_MASK) {
		exception_inject(v, X86_VECTOR_GP, true, 0);
		return;
	}
	c->int_control = (c->int_control & ~VMCB_INT_V_TPR_MASK) | (uint32_t)value;
	insn_skip(v, length);
}

/* SMSW to a register: 16, 32 or 64 bits of CR0. */
static void read_msw(const struct vmcb *c, const struct insn *insn, uint64_t *reg)
{
	if (insn->operand_16 && !insn->wide)
		*reg = (*reg & ~0xffffull) | (c->cr0 & 0xffff);
	else
		*reg = insn->wide ? c->cr0 : (uint32_t)c->cr0;
}

/*
 * SMSW to memory, which exits as a read of CR0 does: QEMU does it, for it may read CR0. By the next
 * exit insn_track_cr3() has the intercept again.
 */
static void let_read(struct plane *p)
{
	p->vmcb->intercept_cr_read &= (uint16_t)~cr3_read_intercepts();
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

void insn_control_register(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);
	struct insn insn = insn_fetch(v);
	uint64_t *reg = insn_register(p, insn.reg);
	bool wide = insn_is_64bit(p->vmcb);
	uint64_t value = wide ? *reg : (uint32_t)*reg;

	if (insn.kind == INSN_MOV_TO_CR && insn.control == 3) {
		write_cr3(p, value);
		insn_skip(v, insn.length);
	} else if (insn.kind == INSN_MOV_TO_CR && insn.control == 0) {
		write_cr0(v, value, insn.length);
	} else if (insn.kind == INSN_MOV_TO_CR && insn.control == 4) {
		write_cr4(v, value, insn.length);
	} else if (insn.kind == INSN_MOV_TO_CR && insn.control == 8) {
		write_cr8(v, value, insn.length);
	} else if (insn.kind == INSN_SMSW_REGISTER) {
		read_msw(p->vmcb, &insn, reg);
		insn_skip(v, insn.length);
	} else if (insn.kind == INSN_OTHER && (uint32_t)p->vmcb->exit_code == 0) {
		let_read(p);
	} else if (insn.kind == INSN_LMSW_REGISTER) {
		/* LMSW sets PE but never clears it. */
		value = (p->vmcb->cr0 & ~(CR0_LMSW_MASK & ~X86_CR0_PE)) | (value & CR0_LMSW_MASK);
		write_cr0(v, value, insn.length);
	} else if (insn.kind == INSN_MOV_FROM_CR) {
		value = read_cr(p, insn.control);
		*reg = wide ? value : (uint32_t)value;
		insn_skip(v, insn.length);
	} else {
		exception_inject(v, X86_VECTOR_UD, false, 0);
	}
}
