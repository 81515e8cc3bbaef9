/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration of bus 0 by the ports, as the hypervisor makes it for itself (PCI Local Bus
 * specification 3.0, 3.2.2.3.2 and 6). A device is its address there: device and function in 15:8.
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_PCI_CONFIG_H
#define SOCLE_MACHINE_HV_DEVICE_PCI_CONFIG_H

#include <stdint.h>

#define PCI_PORT_ADDRESS 0xcf8u
#define PCI_PORT_DATA 0xcfcu
#define PCI_ENABLE (1u << 31)
#define PCI_FUNCTIONS 256u /* of a bus */
#define PCI_FUNCTION_SHIFT 8
#define PCI_NOTHING 0xffffffffu /* what is read where no device is */

/* Registers, and what stands in them. */
#define PCI_ID 0x00u
#define PCI_COMMAND 0x04u
#define PCI_COMMAND_BUS_MASTER (1u << 2)
#define PCI_STATUS_CAPABILITIES (1u << 20) /* of the 32 bits that begin with the command */
#define PCI_CLASS 0x08u
#define PCI_CLASS_SHIFT 16
#define PCI_BAR_FIRST 0x10u
#define PCI_BAR_END 0x28u
#define PCI_CAPABILITIES 0x34u

/* The 32 bits of a register, which is a multiple of 4. What the guest has selected stays so. */
uint32_t pci_config_read(uint32_t device, unsigned int reg);

/* A write of 1, 2 or 4 bytes, aligned. The same holds. */
void pci_config_write(uint32_t device, unsigned int reg, unsigned int size, uint32_t value);

#endif
