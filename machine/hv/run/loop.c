/* SPDX-License-Identifier: MIT */
#include "machine/hv/run/run.h"

#include "core/image/host_model.h"
#include "machine/hv/base/fault_plan.h"
#include "machine/hv/base/lock.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/trap.h"
#include "machine/hv/device/hold.h"
#include "machine/hv/event/alternate.h"
#include "machine/hv/event/hang.h"
#include "machine/hv/event/host_interrupt.h"
#include "machine/hv/event/inject.h"
#include "machine/hv/event/pv_eoi.h"
#include "machine/hv/event/storm.h"
#include "machine/hv/event/sweep.h"
#include "machine/hv/memory/npt.h"
#include "machine/hv/memory/stale.h"
#include "machine/hv/memory/tlb.h"
#include "machine/hv/plane/overlap.h"
#include "machine/hv/plane/vmsa.h"

#define CR4_INTERCEPT (1u << 4)

void vmrun(struct vmcb *vmcb, struct guest_regs *regs); /* vmrun.S */

/*
 * Whether the current plane is to be entered once more before another one preempts it: it has asked
 * for something by VMGEXIT and not seen the answer. Who looks at its VMSA then finds that exit, and
 * could take it for a request to itself (docs/planes.md).
 */
static bool has_to_go_on(struct vcpu *v)
{
	const struct plane *p = vcpu_plane(v);

	return p->state == PLANE_READY && p->loaded && p->last_exit == SVM_EXIT_VMGEXIT &&
	       hv_mailbox()->host.preempt != HOST_PREEMPT_AT_EXITS;
}

/*
 * A plane that waits is called back by an event of its own, from a less privileged one only, where
 * the host does that.
 */
static bool wants_to_run(struct vcpu *v, struct plane *p)
{
	bool preempts = p->vmpl < v->current;
	bool sleeps = p->state == PLANE_HALTED || (p->state == PLANE_WAITING && preempts &&
						   hv_mailbox()->host.preempt != HOST_PREEMPT_NO);

	if (sleeps && (inject_pending(p) || storm_awaits(v, p))) {
		if (preempts && has_to_go_on(v))
			cpu_leave_soon(v->id);
		else
			p->state = PLANE_READY;
	}
	return p->state == PLANE_READY;
}

/* The most privileged plane that has work becomes the current one. */
static bool choose_plane(struct vcpu *v)
{
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
		if (!wants_to_run(v, &v->planes[vmpl]))
			continue;
		if (vmpl != v->current)
			vcpu_make_current(v, vmpl);
		return true;
	}
	return false;
}

/*
 * Setting the timer of this CPU takes what is due by then, which no interrupt will announce any
 * more. So the planes that choose_plane() found without work are looked at again.
 */
static bool is_overtaken(struct vcpu *v)
{
	for (unsigned int vmpl = 0; vmpl < v->current; vmpl++)
		if (wants_to_run(v, &v->planes[vmpl]))
			return true;
	return false;
}

static void idle(struct vcpu *v)
{
	hv_unlock();
	trap_idle();
	hv_lock();
	host_interrupt(v);
}

/* The host process wants to know when a level runs for the first time. */
static void announce(const struct plane *p)
{
	static bool seen[SNP_VMPL_COUNT];

	if (seen[p->cpu_vmpl])
		return;
	seen[p->cpu_vmpl] = true;
	hv_log("VMPL %u enters at RIP %lx", p->cpu_vmpl, p->vmcb->rip);
	if (p->cpu_vmpl == 0)
		hv_event(MAILBOX_EVENT_VMPL0_ENTRY);
	else if (p->cpu_vmpl == 2)
		hv_event(MAILBOX_EVENT_VMPL2_ENTRY);
}

static bool load_current(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);
	struct vmsa_refusal refusal = { 0 };

	if (p->parked)
		vmsa_unpark(p);
	else if (!p->loaded)
		refusal = vmsa_load(p);
	if (refusal.what) {
		hv_log("VMRUN refuses VMSA %lx of vCPU %u, VMPL %u: %s%s; the plane stops",
		       p->vmsa_gpa, v->id, p->vmpl, refusal.what, refusal.feature);
		p->state = vmsa_is_busy(p) ? PLANE_WAITING : PLANE_NONE;
		return false;
	}
	announce(p);
	return true;
}

/* The nested view of the plane, and whether its writes of CR4 matter. */
static void choose_view(struct vcpu *v, struct plane *p)
{
	bool stale;

	if (fault_strikes(MAILBOX_FAULT_TLB_CONTROL))
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			stale_flush(v->id, vmpl);
	p->vmcb->nested_cr3 = npt_root(v->id, p->cpu_vmpl, !p->flat, &stale);
	p->vmcb->intercept_cr_write &= (uint16_t)~CR4_INTERCEPT;
	if (stale)
		p->vmcb->intercept_cr_write |= CR4_INTERCEPT;
}

static void enter(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);

	npt_enter(v->id);
	choose_view(v, p);
	if (tlb_enter(v->id, p->cpu_vmpl))
		p->vmcb->tlb_control = VMCB_TLB_FLUSH_ALL;
	p->last_exit = SVM_EXIT_INTR;
	pv_eoi_offer(p);
	v->cpu->in_guest = true;
	hv_unlock();
	vmrun(p->vmcb, &p->regs);
	v->cpu->in_guest = false;
	hv_lock();
	p->vmcb->tlb_control = 0;
	pv_eoi_take(p);
	sweep_look(v);
}

_Noreturn void run_loop(struct vcpu *v)
{
	hv_lock();
	for (;;) {
		hold_wait(v);
		if (!choose_plane(v)) {
			hang_check(v);
			idle(v);
			continue;
		}
		if (!load_current(v))
			continue;
		hold_enter(v);
		inject_before_run(v);
		if (is_overtaken(v) || alternate_cut(v))
			continue;
		enter(v);
		/* Another vCPU may have taken the plane away between VMRUN and the lock. */
		if (!vcpu_plane(v)->loaded)
			continue;
		run_exit(v);
		overlap_turn(v);
		if (v->switch_to != VCPU_NO_SWITCH)
			vcpu_switch(v);
	}
}
