/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of devices go to the vCPU whose APIC id the guest names, not to the processor that
 * QEMU knows by that number: its first one is the machine's own. The timer (8254) at pin 2 of the
 * IOAPIC, as a PC's MADT has it (82093AA, redirection entries; APM volume 2, 16.14, logical ids in
 * x2APIC mode). Messages (MSI) no device sends, however its capability is set: none is master of
 * the bus (PCI Local Bus Specification, command register).
 */
#include "tests/machine/guest/devices.h"
#include "tests/machine/guest/guest.h"
#include "tests/machine/guest/receivers.h"

#define TIMER_ENTRY 0x14u
#define ENTRY_LOGICAL (1u << 11)
#define ENTRY_MASKED (1u << 16)
#define TIMER_COUNTER 0x40
#define TIMER_COMMAND 0x43
#define PCI_COMMAND 0x04u
#define PCI_CAPABILITIES 0x34u
#define CAPABILITY_MSI 5u
#define BUS_MASTER (1u << 2)

/* Who gets the timer's interrupt, which goes off once. */
static uint64_t targets(uint32_t destination, uint32_t flags, uint64_t expected)
{
	receivers_forget();
	ioapic_write(TIMER_ENTRY, ENTRY_MASKED);
	ioapic_write(TIMER_ENTRY + 1, destination << 24);
	ghcb_out8(TIMER_COMMAND, 0x30); /* counter 0, both bytes, mode 0 */
	ioapic_write(TIMER_ENTRY, RECEIVERS_VECTOR | flags);
	ghcb_out8(TIMER_COUNTER, 0xff);
	ghcb_out8(TIMER_COUNTER, 0x03);
	return receivers_wait(expected);
}

/* Where its capability is, 0: nowhere. */
static uint32_t msi_capability(void)
{
	uint32_t at = pci_read(PCI_AHCI, PCI_CAPABILITIES) & 0xfc;

	for (unsigned int i = 0; at != 0 && i < 16; i++) {
		uint32_t header = pci_read(PCI_AHCI, at);

		if ((header & 0xff) == CAPABILITY_MSI)
			return at;
		at = header >> 8 & 0xfc;
	}
	return 0;
}

static void check_messages(void)
{
	uint32_t msi = msi_capability();

	check("the disk controller is there", pci_read(PCI_AHCI, 0) & 0xffff, 0x8086);
	check("  and could send messages", msi != 0, 1);
	pci_write(PCI_AHCI, msi + 4, 0xfee01000); /* to id 1 */
	check("their address reads as it was written", pci_read(PCI_AHCI, msi + 4), 0xfee01000);
	pci_write(PCI_AHCI, PCI_COMMAND, pci_read(PCI_AHCI, PCI_COMMAND) | BUS_MASTER);
	check("it does not become a bus master", pci_read(PCI_AHCI, PCI_COMMAND) & BUS_MASTER, 0);
}

void test_main(void)
{
	receivers_start();
	check("to id 0", targets(0, 0, 1), 1);
	check("to id 1", targets(1, 0, 2), 2);
	check("to id 2, which nobody has", targets(2, 0, 0), 0);
	check("to all", targets(0xff, 0, 3), 3);
	check("to the logical id of the first", targets(1, ENTRY_LOGICAL, 1), 1);
	check("to the logical id of the second", targets(2, ENTRY_LOGICAL, 2), 2);
	check("to the logical ids of both", targets(3, ENTRY_LOGICAL, 3), 3);
	check_messages();
	trap_handler = NULL;
}
