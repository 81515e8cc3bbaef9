/* SPDX-License-Identifier: MIT */
/* Ports and device memory by the GHCB's exits; sizes are bytes. */
#ifndef SOCLE_TESTS_MACHINE_DEVICES_H
#define SOCLE_TESTS_MACHINE_DEVICES_H

#include <stdint.h>

uint32_t port_read(uint16_t port, unsigned int size);
void port_write(uint16_t port, unsigned int size, uint32_t value);

/* PCI configuration by its ports (PCI Local Bus specification 3.0, 3.2.2.3.2). */
#define PCI_PORT_ADDRESS 0xcf8u
#define PCI_PORT_DATA 0xcfcu
#define PCI_ENABLE (1u << 31)
#define PCI_AHCI 0xfa00u /* 00:1f.2, as the address has it */
#define PCI_HOST_BRIDGE 0u

uint32_t pci_read(uint32_t function, uint32_t reg);
void pci_write(uint32_t function, uint32_t reg, uint32_t value);

uint64_t memory_read(uint64_t gpa, unsigned int size);
void memory_write(uint64_t gpa, unsigned int size, uint64_t value);

/* Registers of the IOAPIC, by its index and data windows (82093AA, 3.1). */
uint32_t ioapic_read(uint32_t index);
void ioapic_write(uint32_t index, uint32_t value);

#endif
