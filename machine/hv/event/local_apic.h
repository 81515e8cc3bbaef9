/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of a plane. The physical ones belong to the hypervisor; a guest sees an emulated
 * one (apic.h) for each plane, and a proxy of the IOAPIC (pins.h).
 */
#ifndef SOCLE_MACHINE_HV_EVENT_LOCAL_APIC_H
#define SOCLE_MACHINE_HV_EVENT_LOCAL_APIC_H

#include "machine/hv/event/apic.h"
#include "machine/hv/plane/vcpu.h"

struct plane_apic {
	struct apic apic;
	uint64_t extint[4]; /* vectors taken from the 8259s and not injected yet */
	uint32_t v_tpr;	    /* what the VMCB's V_TPR was set to */
	bool restricted;    /* what the plane was when its APIC started */
	struct {
		uint64_t msr; /* as the guest wrote it */
		bool offered; /* the guest may end its interrupt in memory (pv_eoi.h) */
	} pv_eoi;
	struct { /* timer events that a hostile host (fault_plan.h) has still to deliver */
		uint64_t late_at;     /* when a delayed one comes; 0: none is */
		uint8_t late_vector;  /* its vector */
		uint8_t again_vector; /* comes when it has been taken once; 0: none */
	} fault;
};

/* Starts it anew: the plane got a VMSA, or the CPU of its vCPU starts. */
void local_apic_start(struct vcpu *v, struct plane *p);

/* Its registers, in the time of clock_now(), as they are now. */
struct apic *local_apic(struct plane *p);

/* Takes over the task priority that the guest has set by CR8 since the last VMRUN. */
static inline void local_apic_sync_tpr(struct plane *p)
{
	uint32_t v_tpr = p->vmcb->int_control & VMCB_INT_V_TPR_MASK;

	if (v_tpr == p->apic->v_tpr)
		return;
	p->apic->v_tpr = v_tpr;
	p->apic->apic.tpr = (v_tpr & 0xf) << 4;
}

/* Acts on what a register write asked for: IPIs, EOI of level interrupts, timers. */
void local_apic_effects(struct vcpu *v, struct plane *p, const struct apic_effects *e);

#endif
