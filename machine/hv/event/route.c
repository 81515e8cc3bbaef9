/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/route.h"

#include "machine/hv/event/alternate.h"
#include "machine/hv/event/local_apic.h"

/* The plane, NULL when its vCPU does not run yet. */
static struct plane *plane_at(unsigned int cpu, unsigned int vmpl)
{
	struct plane *p = &vcpu_by_apic_id(cpu)->planes[vmpl];

	return p->apic == NULL ? NULL : p;
}

void route_to(struct vcpu *v, struct plane *p, enum apic_mode mode, uint8_t vector, bool level)
{
	if (mode == APIC_MODE_NMI)
		p->apic->apic.nmi_pending = true;
	else
		apic_accept(&p->apic->apic, vector, level);
	alternate_tell(v);
	cpu_kick(v->id);
}

static bool is_destination(const struct plane *p, uint32_t destination, bool logical)
{
	return p != NULL && apic_is_destination(&p->apic->apic, destination, logical);
}

void route_to_all(unsigned int vmpl, uint32_t destination, bool logical, enum apic_mode mode,
		  uint8_t vector, bool level)
{
	for (unsigned int cpu = 0; cpu < cpu_count(); cpu++) {
		struct plane *p = plane_at(cpu, vmpl);

		if (!is_destination(p, destination, logical))
			continue;
		route_to(vcpu_by_apic_id(cpu), p, mode, vector, level);
		if (mode == APIC_MODE_LOWEST)
			break;
	}
}

unsigned int route_first(unsigned int vmpl, uint32_t destination, bool logical)
{
	for (unsigned int cpu = 0; cpu < cpu_count(); cpu++)
		if (is_destination(plane_at(cpu, vmpl), destination, logical))
			return cpu;
	return 0;
}

static bool is_target(const struct apic_ipi *ipi, const struct vcpu *from, const struct vcpu *to,
		      const struct apic *a)
{
	switch (ipi->shorthand) {
	case APIC_TO_SELF:
		return to == from;
	case APIC_TO_ALL:
		return true;
	case APIC_TO_OTHERS:
		return to != from;
	default:
		return apic_is_destination(a, ipi->destination, ipi->logical);
	}
}

/*
 * INIT and SIPI never set registers of an SNP guest: INIT starts a vCPU that was created to start
 * on it, INIT and SIPI one that KVM launched, SIPI ends an AP reset hold (GHCB specification, "SNP
 * AP Creation", "AP Reset Hold").
 */
static void ipi_to(struct vcpu *to, struct plane *p, const struct apic_ipi *ipi)
{
	switch (ipi->mode) {
	case APIC_MODE_FIXED:
	case APIC_MODE_LOWEST:
	case APIC_MODE_NMI:
		route_to(to, p, ipi->mode, ipi->vector, false);
		return;
	case APIC_MODE_INIT:
		if (!ipi->deassert)
			vcpu_init_signal(to, p->vmpl);
		return;
	case APIC_MODE_STARTUP:
		vcpu_startup_signal(to, p->vmpl);
		if (p->reset_hold) {
			p->reset_hold = false;
			vcpu_wake(to, p);
		}
		return;
	default:
		return;
	}
}

void route_ipi(struct vcpu *from, unsigned int vmpl, const struct apic_ipi *ipi)
{
	for (unsigned int cpu = 0; cpu < cpu_count(); cpu++) {
		struct vcpu *to = vcpu_by_apic_id(cpu);
		struct plane *p = plane_at(cpu, vmpl);

		if (p == NULL || !is_target(ipi, from, to, &p->apic->apic))
			continue;
		ipi_to(to, p, ipi);
		if (ipi->mode == APIC_MODE_LOWEST)
			return;
	}
}
