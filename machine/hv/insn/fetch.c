/* SPDX-License-Identifier: MIT */
#include "machine/hv/insn/fetch.h"

#include "machine/hv/base/x86.h"
#include "machine/hv/plane/walk.h"

bool insn_is_64bit(const struct vmcb *c)
{
	return (c->efer & X86_EFER_LMA) && (c->cs.attributes & X86_SEGMENT_LONG);
}

static uint64_t linear_rip(const struct vmcb *c)
{
	return insn_is_64bit(c) ? c->rip : (uint32_t)(c->cs.base + c->rip);
}

/* Reads what is at RIP, as far as it can be read: how many bytes. */
static size_t fetch(struct vcpu *v, uint8_t bytes[INSN_MAX])
{
	uint64_t at = linear_rip(vcpu_plane(v)->vmcb);
	size_t left = ABI_PAGE_SIZE - at % ABI_PAGE_SIZE;
	unsigned int access = WALK_FETCH | (plane_cpl(vcpu_plane(v)) == 3 ? WALK_USER : 0);

	if (walk_read(v, at, bytes, INSN_MAX, access).status == WALK_OK)
		return INSN_MAX;
	/* The instruction may end before a next page that is not there. */
	if (left < INSN_MAX && walk_read(v, at, bytes, left, access).status == WALK_OK)
		return left;
	return 0;
}

struct insn insn_fetch(struct vcpu *v)
{
	uint8_t bytes[INSN_MAX];
	size_t have = fetch(v, bytes);

	return insn_decode(bytes, have, insn_is_64bit(vcpu_plane(v)->vmcb));
}

void insn_skip(struct vcpu *v, unsigned int length)
{
	struct vmcb *c = vcpu_plane(v)->vmcb;

	c->rip += length;
	if (!insn_is_64bit(c))
		c->rip = (uint32_t)c->rip;
	c->int_state = 0;
}

bool insn_advance(struct vcpu *v, enum insn_kind kind)
{
	struct insn insn = insn_fetch(v);

	if (insn.kind != kind)
		return false;
	insn_skip(v, insn.length);
	return true;
}

bool insn_advance_to(struct vcpu *v, enum insn_kind kind, struct insn *next)
{
	bool wide = insn_is_64bit(vcpu_plane(v)->vmcb);
	uint8_t bytes[INSN_MAX];
	size_t have = fetch(v, bytes);
	struct insn insn = insn_decode(bytes, have, wide);

	if (insn.kind != kind)
		return false;
	insn_skip(v, insn.length);
	*next = insn_decode(bytes + insn.length, have - insn.length, wide);
	return true;
}

static const struct snp_segment *segment_of(const struct vmcb *c, const struct insn_address *a)
{
	switch (a->segment) {
	case 0x26:
		return &c->es;
	case 0x2e:
		return &c->cs;
	case 0x36:
		return &c->ss;
	case 0x3e:
		return &c->ds;
	case 0x64:
		return &c->fs;
	case 0x65:
		return &c->gs;
	default:
		return a->on_stack ? &c->ss : &c->ds;
	}
}

static uint64_t effective(struct plane *p, const struct insn *insn)
{
	const struct insn_address *a = &insn->address;
	uint64_t at = (uint64_t)(int64_t)a->displacement;

	if (a->from_next)
		at += p->vmcb->rip + insn->length;
	if (a->base != INSN_NO_REGISTER)
		at += *insn_register(p, a->base);
	if (a->index != INSN_NO_REGISTER)
		at += *insn_register(p, a->index) << a->scale;
	return a->narrow ? (uint32_t)at : at;
}

/* Bits 63:47 are one, or none is, of the first byte and of the last. */
static bool canonical(uint64_t linear, size_t size)
{
	int64_t first = (int64_t)linear >> 47, last = (int64_t)(linear + size - 1) >> 47;

	return first == last && (first == 0 || first == -1);
}

bool insn_linear(struct vcpu *v, const struct insn *insn, size_t size, uint64_t *linear)
{
	struct plane *p = vcpu_plane(v);
	const struct snp_segment *s = segment_of(p->vmcb, &insn->address);
	uint64_t at = effective(p, insn);

	if (insn_is_64bit(p->vmcb)) {
		/* FS and GS have a base there, the others none. */
		*linear = at + (insn->address.segment == 0x64 || insn->address.segment == 0x65
					? s->base
					: 0);
		return canonical(*linear, size);
	}
	*linear = (uint32_t)(s->base + at);
	return at + size - 1 <= s->limit;
}

uint64_t *insn_register(struct plane *p, unsigned int reg)
{
	uint64_t *const low[8] = {
		&p->vmcb->rax, &p->regs.rcx, &p->regs.rdx, &p->regs.rbx,
		&p->vmcb->rsp, &p->regs.rbp, &p->regs.rsi, &p->regs.rdi,
	};

	return reg < 8 ? low[reg] : &p->regs.r8 + (reg - 8);
}
