/* SPDX-License-Identifier: MIT */
#include "machine/hv/run/exit.h"

#include "machine/hv/base/counters.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/trap.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/irq.h"
#include "machine/hv/event/vc.h"
#include "machine/hv/insn/emulate.h"
#include "machine/hv/insn/msr.h"
#include "machine/hv/plane/overlap.h"
#include "machine/hv/run/nested_fault.h"

#define EVENT_TYPE_MASK (7u << 8)
#define EVENT_TYPE_SOFTWARE (4u << 8)
#define VECTOR_BP 3u
#define VECTOR_OF 4u
#define FIRST_INTERRUPT 32u

#define EXIT_EXCEPTION_UD (SVM_EXIT_EXCP_BASE + X86_VECTOR_UD)
#define EXIT_INVLPGA 0x7au
#define EXIT_VMRUN 0x80u
#define EXIT_VMLOAD 0x82u
#define EXIT_SKINIT 0x86u

/*
 * An event whose delivery the exit interrupted is delivered again. QEMU calls every hardware
 * interrupt and NMI an exception there, which VMRUN would refuse. Events that an instruction
 * raised come again by themselves, for RIP is still at that instruction.
 */
static void keep_event(struct vmcb *c)
{
	uint32_t event = c->exit_int_info;
	uint32_t vector = event & SVM_EVENT_VECTOR_MASK;

	c->event_inj = 0;
	if (!(event & SVM_EVENT_VALID) || (event & EVENT_TYPE_MASK) == EVENT_TYPE_SOFTWARE ||
	    vector == VECTOR_BP || vector == VECTOR_OF)
		return;
	event &= ~EVENT_TYPE_MASK;
	if (vector == X86_VECTOR_NMI)
		event |= SVM_EVENT_TYPE_NMI;
	else if (vector < FIRST_INTERRUPT)
		event |= SVM_EVENT_TYPE_EXCEPTION;
	c->event_inj = event;
	c->event_error = c->exit_int_error;
}

static void halt(struct vcpu *v)
{
	struct insn insn = emulate_fetch(v);

	/* Otherwise another vCPU has written over it. */
	if (insn.kind != INSN_HLT)
		return;
	emulate_skip(v, insn.length);
	vcpu_halt(v);
}

/* VMRUN refused the state: what the guest, or who made its VMSA, put there makes no sense. */
static _Noreturn void invalid_state(const struct vcpu *v)
{
	const struct vmcb *c = v->planes[v->current].vmcb;

	hv_log("VMRUN refuses VMPL %u of vCPU %u: RIP %lx CR0 %lx CR3 %lx CR4 %lx EFER %lx "
	       "event %x",
	       v->current, v->id, c->rip, c->cr0, c->cr3, c->cr4, c->efer, c->event_inj);
	hv_stop(MAILBOX_STOP_SHUTDOWN, v->current, c->rip, 0, 0);
}

static _Noreturn void shutdown(const struct vcpu *v)
{
	const struct vmcb *c = v->planes[v->current].vmcb;

	hv_log("triple fault at VMPL %u of vCPU %u: RIP %lx RSP %lx CR2 %lx CR3 %lx", v->current,
	       v->id, c->rip, c->rsp, c->cr2, c->cr3);
	hv_stop(MAILBOX_STOP_SHUTDOWN, v->current, c->rip, 0, 0);
}

static void dispatch(struct vcpu *v, uint32_t code)
{
	switch (code) {
	case SVM_EXIT_INTR:
	case SVM_EXIT_NMI:
		trap_window();
		irq_host_interrupt(v);
		overlap_interrupt(v);
		break;
	case SVM_EXIT_VINTR:
		break; /* irq_before_run() was waiting for it */
	case SVM_EXIT_NPF:
		npf_exit(v);
		break;
	case SVM_EXIT_VMMCALL:
		emulate_vmmcall(v);
		break;
	case EXIT_EXCEPTION_UD:
		emulate_undefined(v);
		break;
	case SVM_EXIT_CPUID:
	case SVM_EXIT_IOIO:
		vc_raise(v, code);
		break;
	case SVM_EXIT_MSR:
		msr_exit(v);
		break;
	case SVM_EXIT_HLT:
		halt(v);
		break;
	case SVM_EXIT_SHUTDOWN:
		shutdown(v);
	case EXIT_INVLPGA:
		vcpu_inject_exception(v, X86_VECTOR_UD, false, 0);
		break;
	case SVM_EXIT_CR0_SEL_WRITE:
		emulate_control_register(v);
		break;
	case VMCB_EXIT_INVALID:
		invalid_state(v);
	default:
		if (code < VMCB_EXIT_CR_WRITE_BASE + 0x10u)
			emulate_control_register(v);
		else if (code == EXIT_VMRUN || (code >= EXIT_VMLOAD && code <= EXIT_SKINIT))
			vcpu_inject_exception(v, X86_VECTOR_UD, false, 0);
		else
			hv_panic("exit %x at VMPL %u RIP %lx", code, v->current,
				 vcpu_plane(v)->vmcb->rip);
	}
}

void exit_handle(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);
	uint32_t code = (uint32_t)p->vmcb->exit_code;

	counters_exit(v, code);
	emulate_track_cr3(p);
	keep_event(p->vmcb);
	dispatch(v, code);
}
