/* SPDX-License-Identifier: MIT */
/*
 * The IOAPIC: a proxy. What it is to the guest is ioapic.h; here the physical one is made to do
 * what the guest's entries ask for. A pin belongs to the VMPL that programmed its entry last, or by
 * `--device-plane` to one, which alone can write its entry.
 */
#ifndef SOCLE_MACHINE_HV_EVENT_PINS_H
#define SOCLE_MACHINE_HV_EVENT_PINS_H

#include "machine/hv/plane/vcpu.h"

#define PINS_VECTOR_BASE 0xe4u /* the physical vector of pin n is PINS_VECTOR_BASE + n */

/* All pins masked. Once, on the boot CPU. */
void pins_init(void);

/* Whether a level-triggered interrupt of that VMPL and vector waits for its end. */
bool pins_in_service(unsigned int vmpl, uint8_t vector);

/* The interrupt of pin n came to v. */
void pins_interrupt(struct vcpu *v, unsigned int n);

/*
 * Whether RTC_STS is set has changed, and with it whether the hypervisor wants to know of pin n's
 * interrupts where the guest does not (alarm.h). v is the CPU that this runs on.
 */
void pins_listen(struct vcpu *v, unsigned int n);

/*
 * The hypervisor holds the line of pin n beside QEMU's device there, or lets it go (active high).
 * v is the CPU that this runs on.
 */
void pins_set_line(struct vcpu *v, unsigned int n, bool asserted);

/* A level interrupt with that vector is done at that VMPL: its pins may fire again. */
void pins_end_level(struct vcpu *v, unsigned int vmpl, uint8_t vector);

/* Whether a pin may interrupt a plane of that VMPL. */
bool pins_open(unsigned int vmpl);

/* MMIO of the IOAPIC page: index at 0x00, data at 0x10, EOI at 0x40. 32-bit accesses only. */
uint32_t pins_read(uint32_t offset);
void pins_write(struct vcpu *v, uint32_t offset, uint32_t value);

#endif
