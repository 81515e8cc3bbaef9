/* SPDX-License-Identifier: MIT */
#include "machine/hv/insn/handlers.h"

#include "machine/hv/base/x86.h"
#include "machine/hv/event/exception.h"
#include "machine/hv/insn/fetch.h"

/* A trap, which leaves DR6 alone (APM volume 3, INT1). */
void insn_icebp(struct vcpu *v, const struct insn *insn)
{
	insn_skip(v, insn->length);
	exception_inject(v, X86_VECTOR_DB, false, 0);
}
