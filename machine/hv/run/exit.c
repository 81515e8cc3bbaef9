/* SPDX-License-Identifier: MIT */
#include "machine/hv/run/run.h"

#include "machine/hv/base/counters.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/exception.h"
#include "machine/hv/event/host_interrupt.h"
#include "machine/hv/event/vc.h"
#include "machine/hv/insn/handlers.h"
#include "machine/hv/plane/overlap.h"
#include "machine/hv/plane/virtual_nmi.h"

#define EXIT_EXCEPTION_UD (SVM_EXIT_EXCP_BASE + X86_VECTOR_UD)
#define EXIT_EXCEPTION_GP (SVM_EXIT_EXCP_BASE + X86_VECTOR_GP)
#define EXIT_INVLPGA 0x7au
#define EXIT_VMRUN 0x80u
#define EXIT_VMLOAD 0x82u
#define EXIT_SKINIT 0x86u

static void interrupted(struct vcpu *v)
{
	host_interrupt(v);
	overlap_interrupt(v);
}

/* inject_before_run() was waiting for it. */
static void window_open(struct vcpu *v)
{
	(void)v;
}

/* Of a handler of an NMI; it is done as the plane goes on. */
static void returns(struct vcpu *v)
{
	virtual_nmi_iret(vcpu_plane(v));
}

/* What the guest is to ask for by its GHCB. */
static void reflect(struct vcpu *v)
{
	vc_raise(v, (uint32_t)vcpu_plane(v)->vmcb->exit_code);
}

/* Instructions of SVM, which the guest does not have. */
static void undefined(struct vcpu *v)
{
	exception_inject(v, X86_VECTOR_UD, false, 0);
}

/* A triple fault, or a state that VMRUN refuses: what the guest made of it makes no sense. */
static void shutdown(struct vcpu *v)
{
	const struct vmcb *c = vcpu_plane(v)->vmcb;

	hv_log("%s at VMPL %u of vCPU %u: RIP %lx RSP %lx CR0 %lx CR2 %lx CR3 %lx CR4 %lx EFER "
	       "%lx event %x",
	       c->exit_code == SVM_EXIT_SHUTDOWN ? "triple fault" : "VMRUN refuses the state",
	       v->current, v->id, c->rip, c->rsp, c->cr0, c->cr2, c->cr3, c->cr4, c->efer,
	       c->event_inj);
	hv_stop(MAILBOX_STOP_SHUTDOWN, v->current, c->rip, 0, 0);
}

/* The frequent ones first. */
static const struct {
	uint32_t first, last; /* exit codes */
	void (*handler)(struct vcpu *v);
} exits[] = {
	{ SVM_EXIT_VMMCALL, SVM_EXIT_VMMCALL, insn_vmmcall },
	{ SVM_EXIT_IOIO, SVM_EXIT_IOIO, reflect },
	{ SVM_EXIT_NPF, SVM_EXIT_NPF, run_nested_fault },
	{ SVM_EXIT_INTR, SVM_EXIT_NMI, interrupted },
	{ SVM_EXIT_MSR, SVM_EXIT_MSR, insn_msr },
	{ SVM_EXIT_HLT, SVM_EXIT_HLT, insn_hlt },
	{ EXIT_EXCEPTION_UD, EXIT_EXCEPTION_UD, insn_undefined },
	{ EXIT_EXCEPTION_GP, EXIT_EXCEPTION_GP, insn_general_protection },
	{ SVM_EXIT_CPUID, SVM_EXIT_CPUID, reflect },
	{ SVM_EXIT_VINTR, SVM_EXIT_VINTR, window_open },
	{ 0, VMCB_EXIT_CR_WRITE_BASE + 0xf, insn_control_register },
	{ SVM_EXIT_CR0_SEL_WRITE, SVM_EXIT_CR0_SEL_WRITE, insn_control_register },
	{ SVM_EXIT_RDTSC, SVM_EXIT_RDTSC, insn_tsc },
	{ SVM_EXIT_RDTSCP, SVM_EXIT_RDTSCP, insn_tsc },
	{ SVM_EXIT_SHUTDOWN, SVM_EXIT_SHUTDOWN, shutdown },
	{ SVM_EXIT_IRET, SVM_EXIT_IRET, returns },
	{ EXIT_INVLPGA, EXIT_INVLPGA, undefined },
	{ EXIT_VMRUN, EXIT_VMRUN, undefined },
	{ EXIT_VMLOAD, EXIT_SKINIT, undefined },
	{ VMCB_EXIT_INVALID, VMCB_EXIT_INVALID, shutdown },
};

void run_exit(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);
	uint32_t code = (uint32_t)p->vmcb->exit_code;

	counters_exit(v->id, v->current, code);
	insn_track_cr3(p);
	exception_keep(p->vmcb);
	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
		if (code >= exits[i].first && code <= exits[i].last) {
			exits[i].handler(v);
			return;
		}
	}
	hv_panic("exit %x at VMPL %u RIP %lx", code, v->current, p->vmcb->rip);
}
