/* SPDX-License-Identifier: MIT */
/* Ports and device memory by the GHCB's exits. */
#include "tests/machine/guest/devices.h"

#include "tests/machine/guest/guest.h"

#define IOAPIC_INDEX 0xfec00000ull
#define IOAPIC_DATA 0xfec00010ull

#define SCRATCH 0x3a8u
#define RAX 0x1f8u
#define BUFFER 0x800u

uint32_t port_read(uint16_t port, unsigned int size)
{
	ghcb->rax = 0;
	(void)ghcb_exit(0x7b, (uint64_t)port << 16 | size << 4 | 1, 0);
	return (uint32_t)ghcb->rax;
}

void port_write(uint16_t port, unsigned int size, uint32_t value)
{
	ghcb->rax = value;
	ghcb_set_valid(RAX);
	(void)ghcb_exit(0x7b, (uint64_t)port << 16 | size << 4, 0);
}

uint32_t pci_read(uint32_t function, uint32_t reg)
{
	port_write(PCI_PORT_ADDRESS, 4, PCI_ENABLE | function | reg);
	return port_read(PCI_PORT_DATA, 4);
}

void pci_write(uint32_t function, uint32_t reg, uint32_t value)
{
	port_write(PCI_PORT_ADDRESS, 4, PCI_ENABLE | function | reg);
	port_write(PCI_PORT_DATA, 4, value);
}

static struct ghcb_answer mmio(uint64_t code, uint64_t gpa, unsigned int size)
{
	ghcb->sw_scratch = ghcb_gpa() + BUFFER;
	ghcb_set_valid(SCRATCH);
	return ghcb_exit(code, gpa, size);
}

uint64_t memory_read(uint64_t gpa, unsigned int size)
{
	volatile uint64_t *buffer = (volatile uint64_t *)ghcb->shared_buffer;

	*buffer = 0;
	(void)mmio(0x80000001, gpa, size);
	return *buffer;
}

void memory_write(uint64_t gpa, unsigned int size, uint64_t value)
{
	volatile uint64_t *buffer = (volatile uint64_t *)ghcb->shared_buffer;

	*buffer = value;
	(void)mmio(0x80000002, gpa, size);
}

uint32_t ioapic_read(uint32_t index)
{
	memory_write(IOAPIC_INDEX, 4, index);
	return (uint32_t)memory_read(IOAPIC_DATA, 4);
}

void ioapic_write(uint32_t index, uint32_t value)
{
	memory_write(IOAPIC_INDEX, 4, index);
	memory_write(IOAPIC_DATA, 4, value);
}
