/* SPDX-License-Identifier: MIT */
/*
 * Memory-mapped PCI configuration of QEMU's q35, where a guest puts it and where it may not
 * (Intel's 3 series chipset, PCIEXBAR of the host bridge at 60h), and that it grants no more than
 * the ports do.
 */
#include "tests/machine/guest/devices.h"
#include "tests/machine/guest/guest.h"

#define PCIEXBAR 0x60u
#define ECAM 0xe0000000ull
#define LPC 0xf8000u  /* 00:1f.0 in the ECAM */
#define SATA 0xfa000u /* 00:1f.2 */
#define COMMAND 4u
#define BUS_MASTER 4u
#define IDS_HOST_BRIDGE 0x29c08086u
#define IDS_LPC 0x29188086u

/* Tries to put it there; whether the host bridge says that it is on. */
static bool moved(uint32_t value)
{
	pci_write(PCI_HOST_BRIDGE, PCIEXBAR, value);
	return pci_read(PCI_HOST_BRIDGE, PCIEXBAR) & 1;
}

static void refused(void)
{
	check("it is off at first", pci_read(PCI_HOST_BRIDGE, PCIEXBAR) & 1, 0);
	check("  and the host bridge is not there", memory_read(ECAM, 4) == IDS_HOST_BRIDGE, 0);
	check("not over RAM", moved(0x00000001), 0);
	check("not over IOAPIC and local APICs", moved(0xf0000001), 0);
	check("not with 128 buses", moved(0xe0000003), 0);
	check("not at an address that is no multiple of its size", moved(0xe8000001), 0);
	pci_write(PCI_HOST_BRIDGE, PCIEXBAR + 4, 0x20);
	check("not where the hypervisor is", pci_read(PCI_HOST_BRIDGE, PCIEXBAR + 4), 0);
	port_write(PCI_PORT_ADDRESS, 4, PCI_ENABLE | PCIEXBAR);
	port_write(PCI_PORT_DATA, 1, 1);
	check("not by a part of the register", pci_read(PCI_HOST_BRIDGE, PCIEXBAR) & 1, 0);
}

/*
 * QEMU adds the lowest bits of the address to the register: then COMMAND is in what is written to
 * 0.
 */
static void low_bits(void)
{
	port_write(PCI_PORT_ADDRESS, 4, PCI_ENABLE | PCI_AHCI | 2);
	check("the lowest bits of an address are 0", port_read(PCI_PORT_ADDRESS, 4),
	      PCI_ENABLE | PCI_AHCI);
	port_write(PCI_PORT_DATA, 4, BUS_MASTER << 16);
	check("no device becomes a bus master by them", pci_read(PCI_AHCI, COMMAND) & BUS_MASTER,
	      0);
	port_write(PCI_PORT_ADDRESS, 4, PCI_ENABLE | PCI_HOST_BRIDGE | PCIEXBAR | 3);
	port_write(PCI_PORT_DATA, 4, 0xc0000000);
	check("nor is it put anywhere by them",
	      memory_read(0xc0000000, 4) == IDS_HOST_BRIDGE ||
		      memory_read(ECAM, 4) == IDS_HOST_BRIDGE,
	      0);
	check("with a reserved length it is off", moved(0xe0000001) && moved(0xe0000006), 0);
	check("  and gone", memory_read(ECAM, 4) == IDS_HOST_BRIDGE, 0);
}

static void reads(void)
{
	check("where it may be, it is on", moved(0xe0000001), 1);
	check("the host bridge is there", memory_read(ECAM, 4), IDS_HOST_BRIDGE);
	check("  by words", memory_read(ECAM + 2, 2), IDS_HOST_BRIDGE >> 16);
	check("  by bytes", memory_read(ECAM + 1, 1), 0x80);
	check("the LPC bridge, too", memory_read(ECAM + LPC, 4), IDS_LPC);
	check("no device is on another bus", memory_read(ECAM + (1u << 20), 4), 0xffffffff);
}

static void writes(void)
{
	uint32_t pm = (uint32_t)memory_read(ECAM + LPC + 0x40, 4);

	port_write(PCI_PORT_ADDRESS, 4, PCI_ENABLE | PCIEXBAR);
	memory_write(ECAM + SATA + COMMAND, 2, BUS_MASTER | 1);
	check("a device can be given its ports", memory_read(ECAM + SATA + COMMAND, 2) & 1, 1);
	check("  and does not become a bus master", memory_read(ECAM + SATA + COMMAND, 2) & 4, 0);
	check("  and the ports' address is as before", port_read(PCI_PORT_ADDRESS, 4),
	      PCI_ENABLE | PCIEXBAR);
	memory_write(ECAM + SATA + COMMAND, 8, ~0ull);
	check("8 bytes are not written", memory_read(ECAM + SATA + COMMAND, 2) & 7, 1);
	memory_write(ECAM + LPC + 0x40, 4, 0xb001);
	check("the LPC bridge's ports stay", memory_read(ECAM + LPC + 0x40, 4), pm);
	memory_write(ECAM + 0x90, 1, 0);
	check("the host bridge's memory stays", memory_read(ECAM + 0x90, 1), 0x33);
	memory_write(ECAM + PCIEXBAR, 4, 1);
	check("nor does it move by itself over RAM", memory_read(ECAM, 4), IDS_HOST_BRIDGE);
	memory_write(ECAM + PCIEXBAR, 4, 0xe0000000);
	check("turned off by itself, it is gone", memory_read(ECAM, 4) == IDS_HOST_BRIDGE, 0);
}

void test_main(void)
{
	refused();
	low_bits();
	reads();
	writes();
}
