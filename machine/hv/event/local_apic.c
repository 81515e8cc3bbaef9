/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/local_apic.h"

#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/pins.h"
#include "machine/hv/event/route.h"
#include "machine/hv/event/timer.h"

static struct plane_apic apics[MACHINE_CPUS_MAX][SNP_VMPL_COUNT];

void local_apic_start(struct vcpu *v, struct plane *p)
{
	struct plane_apic *a = &apics[v->id][p->vmpl];
	bool restricted = plane_is_restricted(p);

	*a = (struct plane_apic){ .restricted = restricted };
	apic_reset(&a->apic, v->id, v->id == 0, restricted || p->alternate);
	if (p->alternate) /* it only holds what is for VMPL0 to know, and nobody turns it on */
		apic_enable(&a->apic);
	p->apic = a;
	p->nmi_blocked = false;
	p->reset_hold = false;
	shadow_reset(&p->shadow);
}

struct apic *local_apic(struct plane *p)
{
	local_apic_sync_tpr(p);
	timer_advance(p, clock_now());
	return &p->apic->apic;
}

/* 8259: reaches this CPU only while the guest's LINT0 lets it. */
static void update_lint0(const struct apic *a)
{
	uint32_t lvt = a->lvt[APIC_LVT_LINT0];
	bool open = !(lvt & APIC_LVT_MASKED) &&
		    (lvt >> APIC_LVT_MODE_SHIFT & 7) == APIC_MODE_EXTINT;

	lapic_write(APIC_REG_LVT_LINT0,
		    APIC_MODE_EXTINT << APIC_LVT_MODE_SHIFT | (open ? 0 : APIC_LVT_MASKED));
}

/* Whose LINT0 counts: anybody's, or that of the plane of devices. */
static bool takes_8259(const struct plane *p)
{
	unsigned int all = hv_mailbox()->device_planes.all;

	return all == 0 || all - 1 == p->vmpl;
}

void local_apic_effects(struct vcpu *v, struct plane *p, const struct apic_effects *e)
{
	if (e->ipi.valid)
		route_ipi(v, p->vmpl, &e->ipi);
	if (e->eoi)
		pins_end_level(v, p->vmpl, e->eoi_vector);
	if (e->timer)
		timer_rearm(v);
	if (e->lint0 && takes_8259(p))
		update_lint0(&p->apic->apic);
}
