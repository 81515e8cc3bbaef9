/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/pci_config.h"

#include "machine/hv/base/x86.h"

/* Returns what was selected before. */
static uint32_t select(uint32_t device, unsigned int reg)
{
	uint32_t selected = port_in(PCI_PORT_ADDRESS, 4);

	port_out(PCI_PORT_ADDRESS, 4, PCI_ENABLE | device | (reg & 0xfc));
	return selected;
}

uint32_t pci_config_read(uint32_t device, unsigned int reg)
{
	uint32_t selected = select(device, reg), value = port_in(PCI_PORT_DATA, 4);

	port_out(PCI_PORT_ADDRESS, 4, selected);
	return value;
}

void pci_config_write(uint32_t device, unsigned int reg, unsigned int size, uint32_t value)
{
	uint32_t selected = select(device, reg);

	port_out((uint16_t)(PCI_PORT_DATA + (reg & 3)), size, value);
	port_out(PCI_PORT_ADDRESS, 4, selected);
}
