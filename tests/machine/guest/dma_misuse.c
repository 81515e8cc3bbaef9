/* SPDX-License-Identifier: MIT */
/*
 * What a guest may do wrong with a device of QEMU's: rings and data where neither is to be, memory
 * of a device laid over what is not a device's, messages that are none, a reset or worse in the
 * middle of a request. Each harms the guest's device at most: after it the device starts anew and
 * reads its disk. Addresses are those of QEMU's q35 and of machine/layout.h.
 */
#include "tests/machine/guest/devices.h"
#include "tests/machine/guest/guest.h"
#include "tests/machine/guest/virtio.h"

#define RINGS TEST_PAGE
#define DATA (TEST_PAGE + 0x2000)
#define OWN (TEST_PAGE + 0x3000)
#define SECTOR 512u
#define SETTLED 200000000ull /* of the TSC, some tenth of a second */
#define COMMAND 0x04u
#define BAR4 0x20u

/* Where no ring and no data may be. */
static const struct {
	const char *what;
	uint64_t gpa;
} places[] = {
	{ "a private page", OWN },
	{ "the code that runs", 0x100000 },
	{ "the hole of a PC's video memory", 0xa0000 },
	{ "the first page behind RAM", 64ull << 20 },
	{ "the hypervisor", 0x2000000000 },
	{ "the flash", 0xffff0000 },
	{ "the local APICs", 0xfee00000 },
	{ "a message to CPU 0", 0xfee00010 },
	{ "a message to CPU 1", 0xfee01000 },
	{ "the IOAPIC", 0xfec00000 },
	{ "the IOMMU", 0xfed80000 },
	{ "the ECAM", 0xb0000000 },
	{ "the device itself", VIRTIO_BAR },
	{ "a shared page by the C-bit", 1ull << 47 | DATA },
	{ "the last page there can be", ~0xfffull },
};

/* Where no memory of a device is to be laid. */
static const struct {
	const char *what;
	uint64_t gpa;
} bars[] = {
	{ "over RAM", RINGS },
	{ "over the local APICs", 0xfee00000 },
	{ "over the IOAPIC", 0xfec00000 },
	{ "over the IOMMU", 0xfed80000 },
	{ "over the flash", 0xffff0000 },
	{ "over the ECAM", 0xb0000000 },
	{ "over the hypervisor", 0x2000000000 },
	{ "beyond all addresses", 1ull << 52 },
};

/* Messages that no APIC is to get: address and data (APM volume 2, 16.11). */
static const struct {
	const char *what;
	uint64_t address;
	uint32_t data;
} messages[] = {
	{ "to RAM", DATA, 0x31 },
	{ "to the IOAPIC", 0xfec00000, 0x31 },
	{ "to the hypervisor", 0x2000000000, 0x31 },
	{ "of an SMI", 0xfee00000, 0x200 },
	{ "of an INIT to the machine's own CPU", 0xfee00000, 0x500 },
	{ "of an INIT to CPU 1", 0xfee01000, 0x500 },
	{ "of the 8259s", 0xfee01000, 0x731 },
	{ "to nobody", 0xfee7f000, 0x31 },
};

static void settle(void)
{
	uint64_t start = tsc_read();

	while (tsc_read() - start < SETTLED)
		(void)virtio_status();
}

static bool holds(uint64_t gpa, uint8_t byte)
{
	const volatile uint8_t *bytes = private_view(gpa);

	for (unsigned int i = 0; i < 4096; i++)
		if (bytes[i] != byte)
			return false;
	return true;
}

/* The device from its reset on, and one request to it. */
static void goes_on(const char *after)
{
	virtio_place(RINGS);
	if (virtio_start() != VIRTIO_STATUS_DRIVER_OK) {
		check(after, virtio_status(), VIRTIO_STATUS_DRIVER_OK);
		return;
	}
	check(after, virtio_request(VIRTIO_READ, 2, DATA, SECTOR), 0);
}

static void misplaced(void)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		say("rings, then data, at: ");
		say(places[i].what);
		say("\n");
		(void)virtio_start_at(places[i].gpa, places[i].gpa + 0x400, places[i].gpa + 0x800);
		virtio_notify();
		settle();
		goes_on("  after its rings");
		virtio_ask(VIRTIO_READ, 1, places[i].gpa, SECTOR);
		settle();
		goes_on("  after data from the disk");
		virtio_ask(VIRTIO_WRITE, 60, places[i].gpa, SECTOR);
		settle();
		goes_on("  after data to the disk");
	}
	check("a private page is as it was", holds(OWN, 0x77), 1);
}

static void laid(void)
{
	for (size_t i = 0; i < sizeof(bars) / sizeof(bars[0]); i++) {
		say("memory of the device ");
		say(bars[i].what);
		say("\n");
		pci_write(VIRTIO_FUNCTION, BAR4, (uint32_t)bars[i].gpa);
		pci_write(VIRTIO_FUNCTION, BAR4 + 4, (uint32_t)(bars[i].gpa >> 32));
		(void)memory_read(bars[i].gpa & ~(1ull << 47), 4);
		memory_write(bars[i].gpa & ~(1ull << 47), 4, 0xffffffff);
		goes_on("  after it");
	}
}

static void misaddressed(void)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		say("a message ");
		say(messages[i].what);
		say("\n");
		virtio_start();
		virtio_set_message(messages[i].address, messages[i].data);
		virtio_ask(VIRTIO_READ, 1, DATA, SECTOR);
		settle();
		goes_on("  after it");
	}
}

static void in_the_middle(void)
{
	virtio_ask(VIRTIO_READ, 1, DATA, SECTOR);
	virtio_set_status(0);
	goes_on("a reset in the middle of a request");
	virtio_ask(VIRTIO_READ, 1, DATA, SECTOR);
	pci_write(VIRTIO_FUNCTION, COMMAND, 2);
	settle();
	goes_on("no master of the bus in the middle of a request");
	virtio_ask(VIRTIO_READ, 1, DATA, SECTOR);
	pci_write(VIRTIO_FUNCTION, COMMAND, 0);
	goes_on("no device memory in the middle of a request");
	virtio_ask(VIRTIO_READ, 1, DATA, SECTOR);
	pci_write(VIRTIO_FUNCTION, BAR4, 0xd0000000);
	goes_on("device memory moved in the middle of a request");
	virtio_ask(VIRTIO_READ, 1, RINGS, SECTOR);
	settle();
	goes_on("data over its own rings");
	virtio_ask(VIRTIO_READ, 1, DATA, 0xffffffff);
	settle();
	goes_on("4 GiB of data");
	virtio_ask(VIRTIO_READ, 1ull << 60, DATA, SECTOR);
	settle();
	goes_on("a sector that no disk has");
}

void test_main(void)
{
	volatile uint8_t *own = private_view(OWN);

	(void)page_make_private(OWN);
	check("a page of its own", pvalidate(OWN, 0, 1).eax, 0);
	for (unsigned int i = 0; i < 4096; i++)
		own[i] = 0x77;
	(void)page_make_shared(DATA);
	goes_on("the device starts");
	misplaced();
	laid();
	misaddressed();
	in_the_middle();
	check("the page of its own is as it was", holds(OWN, 0x77), 1);
}
