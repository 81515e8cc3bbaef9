/* SPDX-License-Identifier: MIT */
/*
 * RDTSC and RDTSCP of a guest whose TSC runs at another rate than the processor's, by its VMSA:
 * Secure TSC (APM volume 2, 15.36.18). CPL and CR4.TSD were looked at before the exit.
 */
#include "machine/hv/base/x86.h"
#include "machine/hv/insn/fetch.h"
#include "machine/hv/insn/handlers.h"

#define SCALE_FRACTION_BITS 32

void insn_tsc(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);
	struct insn insn = insn_fetch(v);
	unsigned __int128 scaled = (unsigned __int128)clock_now() * p->tsc_scale;
	uint64_t tsc = (uint64_t)(scaled >> SCALE_FRACTION_BITS) + p->vmcb->tsc_offset;

	/* QEMU reports both as RDTSC. Another vCPU may have changed the code since. */
	if (insn.kind != INSN_RDTSC && insn.kind != INSN_RDTSCP)
		return;
	p->vmcb->rax = (uint32_t)tsc;
	p->regs.rdx = tsc >> 32;
	if (insn.kind == INSN_RDTSCP)
		p->regs.rcx = (uint32_t)x86_rdmsr(X86_MSR_TSC_AUX);
	insn_skip(v, insn.length);
}
