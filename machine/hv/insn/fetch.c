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

struct insn insn_fetch(struct vcpu *v)
{
	const struct vmcb *c = vcpu_plane(v)->vmcb;
	uint64_t at = linear_rip(c);
	size_t left = ABI_PAGE_SIZE - at % ABI_PAGE_SIZE;
	unsigned int access = WALK_FETCH | (plane_cpl(vcpu_plane(v)) == 3 ? WALK_USER : 0);
	uint8_t bytes[INSN_MAX];
	size_t have = INSN_MAX;

	/* The instruction may end before a next page that is not there. */
	if (walk_read(v, at, bytes, INSN_MAX, access).status != WALK_OK) {
		have = left < INSN_MAX ? left : 0;
		if (!have || walk_read(v, at, bytes, have, access).status != WALK_OK)
			return (struct insn){ .kind = INSN_OTHER };
	}
	return insn_decode(bytes, have, insn_is_64bit(c));
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

uint64_t *insn_register(struct plane *p, unsigned int reg)
{
	uint64_t *const low[8] = {
		&p->vmcb->rax, &p->regs.rcx, &p->regs.rdx, &p->regs.rbx,
		&p->vmcb->rsp, &p->regs.rbp, &p->regs.rsi, &p->regs.rdi,
	};

	return reg < 8 ? low[reg] : &p->regs.r8 + (reg - 8);
}
