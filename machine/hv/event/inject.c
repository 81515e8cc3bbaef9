/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/inject.h"

#include "machine/hv/base/x86.h"
#include "machine/hv/event/alternate.h"
#include "machine/hv/event/doorbell.h"
#include "machine/hv/event/local_apic.h"
#include "machine/hv/event/storm.h"
#include "machine/hv/event/timer.h"
#include "machine/hv/plane/virtual_nmi.h"

static int extint_vector(const struct plane_apic *a)
{
	for (unsigned int word = 0; word < 4; word++) {
		if (a->extint[word] != 0)
			return (int)(64 * word) + __builtin_ctzll(a->extint[word]);
	}
	return -1;
}

static bool maskable_pending(const struct plane_apic *a)
{
	return extint_vector(a) >= 0 || apic_pending(&a->apic) >= 0;
}

static void window_close(struct vmcb *b)
{
	b->int_control &= ~VMCB_INT_V_IRQ;
}

/*
 * An exit as soon as IF lets the guest take interrupts. Every change of its priority exits anyway.
 */
static void window_open(struct vmcb *b)
{
	b->int_control |= VMCB_INT_V_IRQ | VMCB_INT_V_IGNORE_TPR;
}

static void inject(struct vmcb *b, uint32_t event)
{
	b->event_inj = event | SVM_EVENT_VALID;
	b->event_error = 0;
}

static void inject_maskable(struct plane_apic *a, struct vmcb *b)
{
	int vector = extint_vector(a);

	if (vector >= 0) {
		a->extint[vector / 64] &= ~(1ull << vector % 64);
	} else {
		vector = apic_pending(&a->apic);
		apic_acknowledge(&a->apic, (uint8_t)vector);
	}
	inject(b, (uint32_t)vector | SVM_EVENT_TYPE_INTR);
}

/* Injects what can be injected now. */
static void inject_now(struct plane *p)
{
	struct plane_apic *a = p->apic;
	struct vmcb *b = p->vmcb;

	if (a->apic.nmi_pending && !p->nmi_blocked) {
		a->apic.nmi_pending = false;
		p->nmi_blocked = true;
		inject(b, X86_VECTOR_NMI | SVM_EVENT_TYPE_NMI);
	} else if ((b->rflags & X86_RFLAGS_IF) && maskable_pending(a)) {
		inject_maskable(a, b);
	}
}

static void prepare_open_plane(struct vcpu *v, struct plane *p)
{
	struct plane_apic *a = p->apic;
	struct vmcb *b = p->vmcb;
	bool nmi = a->apic.nmi_pending && !p->nmi_blocked;

	window_close(b);
	if (!nmi && !maskable_pending(a))
		return;
	if (shadow_holds(&p->shadow)) {
		timer_retry_soon(v, p->shadow.held);
		return;
	}
	if (nmi && (b->event_inj & SVM_EVENT_VALID)) {
		timer_retry_soon(v, 0);
		return;
	}
	if (!(b->event_inj & SVM_EVENT_VALID))
		inject_now(p);
	/* What is left waits for IF, or for another event to be through. */
	if (maskable_pending(a))
		window_open(b);
}

/* The CPU looks at nothing of the host's here, and takes the VMSA's virtual NMI and interrupt. */
static void prepare_alternate_plane(struct vcpu *v, struct plane *p)
{
	struct vmcb *b = p->vmcb;
	int vector = alternate_vector(p);
	bool nmi = virtual_nmi_prepare(p);

	window_close(b);
	if (virtual_nmi_soon(p))
		timer_retry_soon(v, 0);
	if (vector < 0 && !nmi)
		return;
	if (shadow_holds(&p->shadow)) {
		timer_retry_soon(v, p->shadow.held);
		return;
	}
	if (nmi && (b->event_inj & SVM_EVENT_VALID)) {
		timer_retry_soon(v, 0);
	} else if (nmi) {
		virtual_nmi_take(p);
		inject(b, X86_VECTOR_NMI | SVM_EVENT_TYPE_NMI);
	}
	if (vector < 0)
		return;
	if (!(b->event_inj & SVM_EVENT_VALID) && (b->rflags & X86_RFLAGS_IF)) {
		p->vintr &= ~SNP_VINTR_IRQ;
		inject(b, (uint32_t)vector | SVM_EVENT_TYPE_INTR);
	} else {
		window_open(b);
	}
}

static void prepare_restricted_plane(struct vcpu *v, struct plane *p)
{
	struct apic *a = &p->apic->apic;
	struct doorbell_event event = { .vector = apic_pending(a), .nmi = a->nmi_pending };
	bool can_signal = !(p->vmcb->event_inj & SVM_EVENT_VALID);

	window_close(p->vmcb);
	if (event.vector < 0 && !event.nmi)
		return;
	switch (doorbell_post(p, event, can_signal)) {
	case DOORBELL_FULL:
		/* Taken again at the next exit, which the guest makes when it has looked. */
		if (!can_signal)
			timer_retry_soon(v, 0);
		return;
	case DOORBELL_SIGNAL:
		inject(p->vmcb, X86_VECTOR_HV | SVM_EVENT_TYPE_EXCEPTION);
		break;
	case DOORBELL_POSTED:
		break;
	}
	if (event.vector >= 0)
		apic_acknowledge(a, (uint8_t)event.vector);
	a->nmi_pending = false;
}

void inject_before_run(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);
	bool storming;

	/* The features of a launch VMSA are known when it is loaded, which is after our start. */
	if (p->apic->restricted != plane_is_restricted(p))
		local_apic_start(v, p);
	local_apic_sync_tpr(p);
	alternate_tell(v);
	shadow_see(&p->shadow, p->vmcb->rip, p->vmcb->int_state & VMCB_INT_STATE_SHADOW);
	storming = plane_is_restricted(p) && storm_strikes(v, clock_now());
	timer_rearm(v);
	if (plane_is_restricted(p))
		prepare_restricted_plane(v, p);
	else if (plane_is_alternate(p))
		prepare_alternate_plane(v, p);
	else
		prepare_open_plane(v, p);
	if (storming && storm_signal(v, (uint8_t)p->apic->apic.lvt[APIC_LVT_TIMER]))
		inject(p->vmcb, X86_VECTOR_HV | SVM_EVENT_TYPE_EXCEPTION);
	p->apic->v_tpr = p->apic->apic.tpr >> 4;
	p->vmcb->int_control = (p->vmcb->int_control & ~VMCB_INT_V_TPR_MASK) | p->apic->v_tpr;
}

bool inject_look_at_if(struct plane *p)
{
	struct vmcb *b = p->vmcb;

	if (plane_is_restricted(p) || plane_is_alternate(p))
		return false;
	/* An event on its way in clears IF; if its gate does not, the exit is early, and once. */
	if ((b->rflags & X86_RFLAGS_IF) && !(b->event_inj & SVM_EVENT_VALID))
		return false;
	window_open(b);
	return true;
}

bool inject_pending(struct plane *p)
{
	struct plane_apic *a = p->apic;

	if (p->reset_hold)
		return false;
	if (plane_is_alternate(p))
		return (p->vmcb->event_inj & SVM_EVENT_VALID) || virtual_nmi_pending(p) ||
		       ((p->vmcb->rflags & X86_RFLAGS_IF) && alternate_vector(p) >= 0);
	timer_advance(p, clock_now());
	if (a->apic.nmi_pending && !p->nmi_blocked)
		return true;
	if (plane_is_restricted(p))
		return apic_pending(&a->apic) >= 0;
	return (p->vmcb->rflags & X86_RFLAGS_IF) && maskable_pending(a);
}
