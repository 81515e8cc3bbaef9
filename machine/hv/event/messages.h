/* SPDX-License-Identifier: MIT */
/*
 * Messages of devices (MSI, MSI-X), which the guest addresses to its own APICs. A device sends
 * something else: the number of a place here, which the IOMMU turns into a vector of the
 * hypervisor's own.
 */
#ifndef SOCLE_MACHINE_HV_EVENT_MESSAGES_H
#define SOCLE_MACHINE_HV_EVENT_MESSAGES_H

#include "machine/hv/plane/vcpu.h"

/* Vectors between exceptions and the pins of the IOAPIC. A place is named by its vector. */
#define MESSAGES_FIRST 0x20u
#define MESSAGES_END 0xe4u
#define MESSAGES_NONE 0u

/* What a device has to be given for a place: this address, and the place as data. */
#define MESSAGES_ADDRESS 0xfee00000u

/*
 * From now on the message of that place is what the guest's address and data say, for the VMPL that
 * wrote them or that of `--device-plane`. Takes a place where *place is MESSAGES_NONE. False: there
 * is no place left, or the message is none for an APIC; the place is then given back.
 */
bool messages_set(uint8_t *place, uint64_t address, uint32_t data, unsigned int writer);

/* Gives it back, if there is one. */
void messages_clear(uint8_t *place);

/* Whether a device may send a message to that VMPL. */
bool messages_open(unsigned int vmpl);

/* That vector came. */
void messages_interrupt(uint8_t vector);

#endif
