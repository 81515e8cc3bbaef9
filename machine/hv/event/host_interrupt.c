/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/host_interrupt.h"

#include "machine/hv/base/log.h"
#include "machine/hv/base/trap.h"
#include "machine/hv/event/ioapic.h"
#include "machine/hv/event/local_apic.h"
#include "machine/hv/event/messages.h"
#include "machine/hv/event/pins.h"
#include "machine/hv/event/route.h"
#include "machine/hv/event/timer.h"
#include "machine/hv/memory/iommu.h"

struct plane *host_interrupt_plane(struct vcpu *v)
{
	unsigned int all = hv_mailbox()->device_planes.all;

	if (all != 0)
		return v->planes[all - 1].apic ? &v->planes[all - 1] : NULL;
	for (unsigned int vmpl = SNP_VMPL_COUNT; vmpl-- > 0;) {
		if (v->planes[vmpl].state != PLANE_NONE)
			return &v->planes[vmpl];
	}
	return vcpu_plane(v);
}

static void extint_interrupt(struct vcpu *v, unsigned int vector)
{
	struct plane *p = host_interrupt_plane(v);

	if (p)
		p->apic->extint[vector / 64] |= 1ull << vector % 64;
}

static void route_physical(struct vcpu *v, unsigned int vector)
{
	bool from_apic = lapic_read(APIC_REG_ISR + (vector / 32 << 4)) >> vector % 32 & 1;
	struct plane *p = host_interrupt_plane(v);

	if (vector == LAPIC_VECTOR_SPURIOUS)
		return;
	if (!from_apic) {
		extint_interrupt(v, vector);
		return;
	}
	if (vector == LAPIC_VECTOR_TIMER)
		timer_fired(v);
	else if (vector >= PINS_VECTOR_BASE && vector < PINS_VECTOR_BASE + IOAPIC_PINS)
		pins_interrupt(v, vector - PINS_VECTOR_BASE);
	else if (iommu_exists())
		messages_interrupt((uint8_t)vector);
	else if (p)
		route_to(v, p, APIC_MODE_FIXED, (uint8_t)vector, false);
	lapic_write(APIC_REG_EOI, 0);
}

void host_interrupt(struct vcpu *v)
{
	uint64_t *taken = v->cpu->taken;

	trap_window();
	/* From the highest on: an EOI ends the highest interrupt in service. */
	for (unsigned int word = 4; word-- > 0;) {
		while (taken[word] != 0) {
			unsigned int bit = 63u - (unsigned int)__builtin_clzll(taken[word]);

			taken[word] &= ~(1ull << bit);
			route_physical(v, 64 * word + bit);
		}
	}
	timer_rearm(v);
}
