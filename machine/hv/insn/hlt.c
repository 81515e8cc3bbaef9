/* SPDX-License-Identifier: MIT */
#include "machine/hv/insn/handlers.h"

#include "machine/hv/insn/fetch.h"

void insn_hlt(struct vcpu *v)
{
	if (!insn_advance(v, INSN_HLT))
		return;
	vcpu_plane(v)->last_exit = SVM_EXIT_HLT;
	vcpu_plane(v)->state = PLANE_HALTED;
}
