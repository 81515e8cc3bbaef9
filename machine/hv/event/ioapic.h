/* SPDX-License-Identifier: MIT */
/*
 * The IOAPIC as a guest sees it: plain state, without side effects. The physical redirection
 * entries are made from it by pins.c.
 */
#ifndef SOCLE_MACHINE_HV_EVENT_IOAPIC_H
#define SOCLE_MACHINE_HV_EVENT_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#define IOAPIC_PINS 24u
#define IOAPIC_MMIO_INDEX 0x00u
#define IOAPIC_MMIO_DATA 0x10u
#define IOAPIC_MMIO_EOI 0x40u
#define IOAPIC_REG_ID 0x00u
#define IOAPIC_REG_VERSION 0x01u
#define IOAPIC_REG_ARBITRATION 0x02u
#define IOAPIC_REG_ENTRY 0x10u

#define IOAPIC_ENTRY_MODE_SHIFT 8
#define IOAPIC_ENTRY_LOGICAL (1ull << 11)
#define IOAPIC_ENTRY_LOW_ACTIVE (1ull << 13)
#define IOAPIC_ENTRY_REMOTE_IRR (1ull << 14)
#define IOAPIC_ENTRY_LEVEL (1ull << 15)
#define IOAPIC_ENTRY_MASKED (1ull << 16)
#define IOAPIC_ENTRY_DESTINATION_SHIFT 56

struct ioapic_pin {
	uint64_t entry;	   /* as the guest wrote it */
	unsigned int vmpl; /* of the plane that wrote it last */
	bool in_service;   /* level: delivered, and the EOI has not come */
	bool asserted;	   /* its line is held by the hypervisor, whatever QEMU's does */
};

struct ioapic {
	uint32_t index, id;
	struct ioapic_pin pins[IOAPIC_PINS];
};

void ioapic_reset(struct ioapic *io);

/* The data register, as index selects. */
uint32_t ioapic_read(const struct ioapic *io);

/* The pin whose entry the index selects, or -1. */
int ioapic_selected(const struct ioapic *io);

/* Returns the pin whose entry changed, or -1. */
int ioapic_write(struct ioapic *io, uint32_t value, unsigned int vmpl);

/* True when the pin may be unmasked physically: the guest wants it and waits for nothing. */
bool ioapic_pin_open(const struct ioapic_pin *pin);

/* True when the line that the hypervisor holds interrupts by its level, now. */
bool ioapic_pin_due(const struct ioapic_pin *pin);

/* The hypervisor holds the line of pin n, or lets it go. True: that interrupts. */
bool ioapic_set_line(struct ioapic *io, unsigned int n, bool asserted);

#endif
