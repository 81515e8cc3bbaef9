/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/pv_eoi.h"

#include "machine/hv/event/inject.h"
#include "machine/hv/event/local_apic.h"
#include "machine/hv/memory/guest.h"

#define ENABLED 1ull
#define ALIGNMENT 4u
#define OFFERED 1u /* in the byte */

bool pv_eoi_write(struct plane *p, uint64_t value)
{
	uint64_t gpa = value & ~ENABLED;

	/* To KVM the C-bit is an address bit like any other, beyond all RAM. */
	if (gpa % ALIGNMENT != 0)
		return false;
	if ((value & ENABLED) && ((gpa & HV_C_BIT) || !guest_is_ram(gpa)))
		return false;
	p->apic->pv_eoi.msr = value;
	return true;
}

static uint8_t *place(const struct plane *p)
{
	return guest_ptr(p->apic->pv_eoi.msr & ~ENABLED, sizeof(uint8_t), GUEST_SHARED);
}

void pv_eoi_offer(struct plane *p)
{
	struct plane_apic *a = p->apic;
	uint8_t *byte;

	if (!(a->pv_eoi.msr & ENABLED) || !apic_serves_edge(&a->apic))
		return;
	byte = place(p);
	if (!byte || (!apic_ends_without_effect(&a->apic) && !inject_look_at_if(p)))
		return;
	__atomic_store_n(byte, OFFERED, __ATOMIC_RELAXED);
	a->pv_eoi.offered = true;
}

static void take(struct plane *p)
{
	struct plane_apic *a = p->apic;
	struct apic_effects none = { 0 };
	uint8_t *byte = place(p);

	a->pv_eoi.offered = false;
	if (byte && (__atomic_load_n(byte, __ATOMIC_RELAXED) & OFFERED))
		__atomic_store_n(byte, 0, __ATOMIC_RELAXED);
	else
		apic_write(&a->apic, APIC_REG_EOI, 0, 0, &none);
}

void pv_eoi_take(struct plane *p)
{
	if (p->apic->pv_eoi.offered)
		take(p);
}
