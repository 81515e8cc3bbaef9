/* SPDX-License-Identifier: MIT */
/*
 * A PCI device whose memory the guest lays over what is not its to give: its own RAM, IOAPIC and
 * local APIC, and the ROM that the hypervisor started from. QEMU's AHCI at 00:1f.2 has its
 * registers at BAR 5 (AHCI 1.3.1, 2.1.11); the first, CAP, is not 0. All goes on as before: memory
 * first, APICs next, the rest is the guest's own business (PCI Local Bus specification 3.0, 6.2.5).
 */
#include "tests/machine/guest/devices.h"
#include "tests/machine/guest/guest.h"

#define COMMAND 0x04u
#define COMMAND_MEMORY 2u
#define BAR 0x24u
#define APIC_VERSION 0xfee00030ull
#define IOAPIC 0xfec00000ull

static void lay(uint32_t address)
{
	pci_write(PCI_AHCI, BAR, address);
	pci_write(PCI_AHCI, COMMAND, COMMAND_MEMORY);
}

static void over_memory(void)
{
	volatile uint64_t *shared = shared_view(TEST_PAGE), *own = private_view(TEST_PAGE + 0x1000);

	(void)page_make_private(TEST_PAGE + 0x1000);
	check("a page of its own", pvalidate(TEST_PAGE + 0x1000, 0, 1).eax, 0);
	*shared = 0x1234;
	*own = 0x5678;
	lay(TEST_PAGE);
	check("laid over shared RAM, the RAM is there", *shared, 0x1234);
	lay(TEST_PAGE + 0x1000);
	check("laid over private RAM, the RAM is there", *own, 0x5678);
	*own = 0x9abc;
	pci_write(PCI_AHCI, COMMAND, 0);
	check("  and was written", *own, 0x9abc);
}

static void over_apics(void)
{
	uint64_t version = memory_read(APIC_VERSION, 4);

	lay(0xfee00000);
	check("laid over the local APIC, the APIC is there", memory_read(APIC_VERSION, 4), version);
	lay(0xfec00000);
	memory_write(IOAPIC, 4, 1);
	check("laid over the IOAPIC, it has 24 pins", memory_read(IOAPIC + 0x10, 4) >> 16, 23);
}

/* An interrupt or exit of the hypervisor would need what it started from. */
static void over_the_rom(void)
{
	static const uint32_t pages[] = { 0xfffff000, 0xffffe000, 0xffffd000, 0xfffc0000 };

	for (unsigned int i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		lay(pages[i]);
		check("laid over the ROM, the machine goes on", pci_read(PCI_AHCI, COMMAND) & 7,
		      COMMAND_MEMORY);
		for (unsigned int n = 0; n < 1000; n++)
			(void)msr_read(0xc0010131);
		check("  and nothing is there", memory_read(pages[i], 4), 0xffffffff);
	}
}

void test_main(void)
{
	lay(0xc0000000);
	check("laid in the hole it is there",
	      memory_read(0xc0000000, 4) != 0 && memory_read(0xc0000000, 4) != 0xffffffff, 1);
	over_memory();
	over_apics();
	over_the_rom();
	lay(0xc0000000);
	check("and again in the hole", memory_read(0xc0000000, 4) != 0, 1);
}
