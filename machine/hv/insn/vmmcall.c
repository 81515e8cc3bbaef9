/* SPDX-License-Identifier: MIT */
#include "machine/hv/insn/handlers.h"

#include "machine/hv/device/hold.h"
#include "machine/hv/event/vc.h"
#include "machine/hv/insn/fetch.h"
#include "machine/hv/plane/overlap.h"
#include "machine/hv/vmgexit/ghcb.h"

static bool overlaps(struct vcpu *v)
{
	return overlap_possible(v) && ghcb_asks_for_vmpl0(v) && overlap_vmgexit(v);
}

void insn_vmgexit(struct vcpu *v, const struct insn *insn)
{
	if (hold_strikes(v) || overlaps(v))
		return;
	insn_skip(v, insn->length);
	vcpu_plane(v)->last_exit = SVM_EXIT_VMGEXIT;
	ghcb_vmgexit(v);
}

void insn_vmmcall(struct vcpu *v)
{
	struct insn insn = insn_fetch(v);

	if (insn.kind == INSN_VMGEXIT)
		insn_vmgexit(v, &insn);
	else
		vc_raise(v, SVM_EXIT_VMMCALL);
}
