/* SPDX-License-Identifier: MIT */
/* To which planes an interrupt goes: IPIs, and those of devices. */
#ifndef SOCLE_MACHINE_HV_EVENT_ROUTE_H
#define SOCLE_MACHINE_HV_EVENT_ROUTE_H

#include "machine/hv/event/apic.h"
#include "machine/hv/plane/vcpu.h"

/* Gives an interrupt to one plane's APIC and makes its vCPU look. */
void route_to(struct vcpu *v, struct plane *p, enum apic_mode mode, uint8_t vector, bool level);

/* Gives an interrupt to the APICs of that VMPL that are its destination. */
void route_to_all(unsigned int vmpl, uint32_t destination, bool logical, enum apic_mode mode,
		  uint8_t vector, bool level);

/* The vCPU with the first APIC of that VMPL that is a destination; 0 when there is none. */
unsigned int route_first(unsigned int vmpl, uint32_t destination, bool logical);

/* Sends an IPI of the plane vmpl of from to planes of that VMPL. */
void route_ipi(struct vcpu *from, unsigned int vmpl, const struct apic_ipi *ipi);

#endif
