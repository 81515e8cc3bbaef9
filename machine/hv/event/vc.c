/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/vc.h"

#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/exception.h"
#include "machine/hv/memory/guest.h"
#include "machine/hv/plane/walk.h"

#define GATE_PRESENT (1u << 7)
#define GATE_TYPE_MASK 0x1fu
#define GATE_INTERRUPT32 0xeu /* also the 64-bit type in long mode */
#define GATE_TRAP32 0xfu
#define SELECTOR_TABLE_LDT (1u << 2)
#define SELECTOR_RPL_MASK 3u

#define DESCRIPTOR_CODE (1u << 3)
#define DESCRIPTOR_CONFORMING (1u << 2)
#define DESCRIPTOR_NOT_SYSTEM (1u << 4)

/* A segment register's content in the making. */
struct segment_load {
	struct snp_segment segment;
	unsigned int dpl;
};

/* All that changes when the event is taken; written in one go at the end. */
struct vc_entry {
	struct snp_segment cs, ss;
	uint64_t rip, rsp;
	unsigned int cpl;
	bool interrupt_gate;
};

enum vc_status {
	VC_OK,
	VC_ACCESS, /* a table or stack could not be reached: see the walk */
	VC_BROKEN, /* the guest's tables make no sense */
};

struct vc_context {
	struct vcpu *v;
	const struct vmcb *c;
	struct walk_result walk;
};

static enum vc_status read_system(struct vc_context *x, uint64_t linear, void *to, size_t size)
{
	x->walk = walk_read(x->v, linear, to, size, 0);
	return x->walk.status == WALK_OK ? VC_OK : VC_ACCESS;
}

static void unpack_descriptor(uint64_t d, uint16_t selector, struct segment_load *out)
{
	uint32_t limit = (uint32_t)(d & 0xffff) | (uint32_t)(d >> 32 & 0xf0000);
	bool granular = d >> 55 & 1;

	out->segment = (struct snp_segment){
		.selector = selector,
		.attributes = (uint16_t)((d >> 40 & 0xff) | (d >> 44 & 0xf00)),
		.limit = granular ? limit << 12 | 0xfff : limit,
		.base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000),
	};
	out->dpl = d >> 45 & 3;
}

static enum vc_status load_descriptor(struct vc_context *x, uint16_t selector,
				      struct segment_load *out)
{
	const struct snp_segment *table = selector & SELECTOR_TABLE_LDT ? &x->c->ldtr : &x->c->gdtr;
	uint32_t offset = selector & ~7u;
	enum vc_status status;
	uint64_t d;

	if ((selector & ~SELECTOR_RPL_MASK) == 0 || offset + 7 > table->limit)
		return VC_BROKEN;
	status = read_system(x, table->base + offset, &d, sizeof(d));
	if (status != VC_OK)
		return status;
	unpack_descriptor(d, selector, out);
	if (!(out->segment.attributes & X86_SEGMENT_PRESENT) ||
	    !(out->segment.attributes & DESCRIPTOR_NOT_SYSTEM))
		return VC_BROKEN;
	return VC_OK;
}

/* The handler's code segment, and with it the new privilege level. */
static enum vc_status load_handler(struct vc_context *x, uint16_t selector, unsigned int cpl,
				   struct vc_entry *e)
{
	struct segment_load load;
	enum vc_status status = load_descriptor(x, selector, &load);
	uint16_t attributes;

	if (status != VC_OK)
		return status;
	attributes = load.segment.attributes;
	if (!(attributes & DESCRIPTOR_CODE) || load.dpl > cpl)
		return VC_BROKEN;
	e->cpl = attributes & DESCRIPTOR_CONFORMING ? cpl : load.dpl;
	e->cs = load.segment;
	e->cs.selector = (uint16_t)((selector & ~SELECTOR_RPL_MASK) | e->cpl);
	return VC_OK;
}

/* A gate of the interrupt table, 64-bit or 32-bit. */
struct vc_gate {
	uint16_t selector;
	uint8_t ist, type;
	uint64_t offset;
};

/*
 * The gate of vector 29: the upper eight bytes are there in long mode only (APM volume 2, 4.8.4).
 */
static enum vc_status read_gate(struct vc_context *x, bool wide, struct vc_gate *gate)
{
	uint64_t raw[2] = { 0 };
	uint64_t size = wide ? sizeof(raw) : sizeof(raw[0]);
	enum vc_status status;
	unsigned int kind;

	if (X86_VECTOR_VC * size + size - 1 > x->c->idtr.limit)
		return VC_BROKEN;
	status = read_system(x, x->c->idtr.base + X86_VECTOR_VC * size, raw, size);
	if (status != VC_OK)
		return status;
	*gate = (struct vc_gate){
		.selector = (uint16_t)(raw[0] >> 16),
		.ist = raw[0] >> 32 & 7,
		.type = (uint8_t)(raw[0] >> 40),
		.offset = (raw[0] & 0xffff) | (raw[0] >> 32 & 0xffff0000) | raw[1] << 32,
	};
	kind = gate->type & GATE_TYPE_MASK;
	if (!(gate->type & GATE_PRESENT) || (kind != GATE_INTERRUPT32 && kind != GATE_TRAP32))
		return VC_BROKEN;
	return VC_OK;
}

/* The stack of a 64-bit handler: IST, or RSPn of the TSS for more privilege, or the one in use. */
static enum vc_status stack64(struct vc_context *x, unsigned int ist, unsigned int cpl,
			      struct vc_entry *e)
{
	uint64_t offset = ist ? 0x24 + 8ull * (ist - 1) : 4 + 8ull * e->cpl;

	e->ss = x->c->ss;
	e->rsp = x->c->rsp;
	if (e->cpl < cpl)
		e->ss = (struct snp_segment){
			.selector = (uint16_t)e->cpl,
			.attributes = (uint16_t)(0xc93 | e->cpl << 5),
			.limit = 0xffffffff,
		};
	if (!ist && e->cpl == cpl)
		return VC_OK;
	if (offset + 7 > x->c->tr.limit)
		return VC_BROKEN;
	return read_system(x, x->c->tr.base + offset, &e->rsp, sizeof(e->rsp));
}

/* The stack of a 32-bit handler: SSn:ESPn of the TSS for more privilege, or the one in use. */
static enum vc_status stack32(struct vc_context *x, unsigned int cpl, struct vc_entry *e)
{
	struct {
		uint32_t esp, ss;
	} from_tss;
	struct segment_load load;
	uint64_t offset = 4 + 8ull * e->cpl;
	enum vc_status status;

	e->ss = x->c->ss;
	e->rsp = (uint32_t)x->c->rsp;
	if (e->cpl == cpl)
		return VC_OK;
	if (offset + 7 > x->c->tr.limit)
		return VC_BROKEN;
	status = read_system(x, x->c->tr.base + offset, &from_tss, sizeof(from_tss));
	if (status != VC_OK)
		return status;
	status = load_descriptor(x, (uint16_t)from_tss.ss, &load);
	if (status != VC_OK)
		return status;
	e->ss = load.segment;
	e->rsp = from_tss.esp;
	return VC_OK;
}

static enum vc_status push64(struct vc_context *x, uint32_t code, struct vc_entry *e)
{
	const struct vmcb *c = x->c;
	uint64_t frame[6] = { code,   c->rip,	     c->cs.selector, c->rflags | X86_RFLAGS_RF,
			      c->rsp, c->ss.selector };

	e->rsp = (e->rsp & ~15ull) - sizeof(frame);
	x->walk = walk_write(x->v, e->rsp, frame, sizeof(frame), 0);
	return x->walk.status == WALK_OK ? VC_OK : VC_ACCESS;
}

static enum vc_status push32(struct vc_context *x, uint32_t code, bool more_privilege,
			     struct vc_entry *e)
{
	const struct vmcb *c = x->c;
	uint32_t frame[6] = { code,
			      (uint32_t)c->rip,
			      c->cs.selector,
			      (uint32_t)(c->rflags | X86_RFLAGS_RF),
			      (uint32_t)c->rsp,
			      c->ss.selector };
	size_t size = more_privilege ? sizeof(frame) : 4 * sizeof(frame[0]);

	e->rsp = (uint32_t)(e->rsp - size);
	x->walk = walk_write(x->v, e->ss.base + e->rsp, frame, size, 0);
	return x->walk.status == WALK_OK ? VC_OK : VC_ACCESS;
}

static enum vc_status deliver(struct vc_context *x, uint32_t code, struct vc_entry *e)
{
	const struct vmcb *c = x->c;
	bool wide = c->efer & X86_EFER_LMA;
	unsigned int cpl = plane_cpl(vcpu_plane(x->v));
	struct vc_gate gate;
	enum vc_status status;

	/* In real and virtual-8086 mode there is no gate that could take an error code. */
	if (!wide && (!(c->cr0 & X86_CR0_PE) || (c->rflags & X86_RFLAGS_VM)))
		return VC_BROKEN;
	status = read_gate(x, wide, &gate);
	if (status != VC_OK)
		return status;
	status = load_handler(x, gate.selector, cpl, e);
	if (status != VC_OK)
		return status;
	if (wide && !(e->cs.attributes & X86_SEGMENT_LONG))
		return VC_BROKEN;
	status = wide ? stack64(x, gate.ist, cpl, e) : stack32(x, cpl, e);
	if (status != VC_OK)
		return status;
	e->rip = gate.offset;
	e->interrupt_gate = (gate.type & GATE_TYPE_MASK) == GATE_INTERRUPT32;
	return wide ? push64(x, code, e) : push32(x, code, e->cpl != cpl, e);
}

static void take(struct vmcb *c, const struct vc_entry *e)
{
	uint64_t clear = X86_RFLAGS_TF | X86_RFLAGS_NT | X86_RFLAGS_RF | X86_RFLAGS_VM;

	if (e->interrupt_gate)
		clear |= X86_RFLAGS_IF;
	c->cs = e->cs;
	c->ss = e->ss;
	c->cpl = (uint8_t)e->cpl;
	c->rip = e->rip;
	c->rsp = e->rsp;
	c->rflags &= ~clear;
	c->int_state = 0;
}

/*
 * #VC while #VC is delivered: it is contributory, as #GP is, so #DF follows (APM volume 2, 15.35.5
 * and 8.2.9), and a shutdown when that cannot be delivered either.
 */
static void access_npf(struct vc_context *x)
{
	if (walk_fault(x->v, &x->walk) == WALK_NOT_VALIDATED)
		exception_inject(x->v, X86_VECTOR_DF, true, 0);
}

/* #VC cannot be delivered. */
static void refuse(struct vc_context *x, enum vc_status status, uint32_t code)
{
	const struct walk_result *w = &x->walk;
	struct vcpu *v = x->v;
	unsigned int vmpl = vcpu_plane(v)->cpu_vmpl;

	if (status == VC_ACCESS && w->status == WALK_PAGE_FAULT) {
		vcpu_plane(v)->vmcb->cr2 = w->linear;
		exception_inject(v, X86_VECTOR_PF, true, w->error);
		return;
	}
	/* Where the host fixes it, the instruction exits again. */
	if (status == VC_ACCESS) {
		access_npf(x);
		return;
	}
	hv_log("#VC %x cannot be delivered at VMPL %u, RIP %lx: no handler", code, vmpl, x->c->rip);
	if (code == VC_PAGE_NOT_VALIDATED)
		hv_stop(MAILBOX_STOP_RMP_VIOLATION, vmpl, x->c->exit_info_2 & ~HV_C_BIT,
			x->c->exit_info_1 | VMCB_NPF_RMP, x->c->rip);
	hv_stop(MAILBOX_STOP_SHUTDOWN, vmpl, x->c->rip, 0, 0);
}

void vc_raise(struct vcpu *v, uint32_t code)
{
	struct vmcb *c = vcpu_plane(v)->vmcb;
	struct vc_context x = { .v = v, .c = c };
	struct vc_entry e = { 0 };
	enum vc_status status;

	exception_possible(v, X86_VECTOR_VC);
	status = deliver(&x, code, &e);
	if (status == VC_OK)
		take(c, &e);
	else
		refuse(&x, status, code);
}
