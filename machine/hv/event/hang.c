/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/hang.h"

#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/host_interrupt.h"
#include "machine/hv/event/local_apic.h"
#include "machine/hv/event/messages.h"
#include "machine/hv/event/pins.h"

/* By #HV, whatever RFLAGS.IF is; that its own timer is late or lost is the host's doing. */
static bool doorbell_rings(struct vcpu *v, const struct plane *p)
{
	const struct plane_apic *a = p->apic;

	if (p->doorbell_gpa == 0)
		return false;
	return a->apic.timer_deadline != 0 || a->fault.late_at != 0 ||
	       apic_pending(&a->apic) >= 0 || pins_open(p->vmpl) || messages_open(p->vmpl) ||
	       host_interrupt_plane(v) == p;
}

/*
 * Whether the plane runs, or anything but another vCPU could make it run: then it may go on for
 * ever. In doubt it could. INIT, SIPI and IPIs come from those that run.
 */
static bool can_run(struct vcpu *v, const struct plane *p)
{
	if (p->state == PLANE_READY || p->parked)
		return true;
	if (p->state == PLANE_NONE || p->state == PLANE_ON_INIT || p->state == PLANE_ON_STARTUP ||
	    p->reset_hold)
		return false;
	if (p->apic->apic.nmi_pending && !p->nmi_blocked)
		return true;
	return plane_is_restricted(p) ? doorbell_rings(v, p) : p->vmcb->rflags & X86_RFLAGS_IF;
}

static bool any_can_run(void)
{
	for (unsigned int cpu = 0; cpu < cpu_count(); cpu++) {
		struct vcpu *v = vcpu_by_apic_id(cpu);

		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			if (can_run(v, &v->planes[vmpl]))
				return true;
	}
	return false;
}

void hang_check(struct vcpu *v)
{
	const struct plane *p = vcpu_plane(v);

	if (any_can_run())
		return;
	for (unsigned int cpu = 0; cpu < cpu_count(); cpu++) {
		const struct vcpu *other = vcpu_by_apic_id(cpu);
		const struct plane *last = &other->planes[other->current];

		hv_log("vCPU %u stands still at VMPL %u: state %u, RIP %lx", cpu, last->vmpl,
		       last->state, last->vmcb->rip);
	}
	hv_stop(MAILBOX_STOP_HANG, v->id, p->vmpl, p->vmcb->rip, 0);
}
