/* SPDX-License-Identifier: MIT */
#include "machine/hv/base/x86.h"
#include "machine/hv/event/exception.h"
#include "machine/hv/insn/fetch.h"
#include "machine/hv/insn/handlers.h"

static const struct {
	enum insn_kind kind;
	void (*handler)(struct vcpu *v, const struct insn *insn);
} unknown_to_qemu[] = {
	{ INSN_PVALIDATE, insn_rmp },	{ INSN_RMPADJUST, insn_rmp },	{ INSN_RMPQUERY, insn_rmp },
	{ INSN_INVLPGB, insn_invlpgb }, { INSN_TLBSYNC, insn_invlpgb }, { INSN_XSAVEC, insn_xsave },
	{ INSN_XSAVES, insn_xsave },	{ INSN_XRSTORS, insn_xsave },	{ INSN_ICEBP, insn_icebp },
};

void insn_undefined(struct vcpu *v)
{
	struct insn insn = insn_fetch(v);

	for (size_t i = 0; i < sizeof(unknown_to_qemu) / sizeof(unknown_to_qemu[0]); i++) {
		if (unknown_to_qemu[i].kind == insn.kind) {
			unknown_to_qemu[i].handler(v, &insn);
			return;
		}
	}
	exception_inject(v, X86_VECTOR_UD, false, 0);
}
