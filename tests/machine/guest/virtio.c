/* SPDX-License-Identifier: MIT */
#include "tests/machine/guest/virtio.h"

#include "tests/machine/guest/devices.h"
#include "tests/machine/guest/guest.h"

#define COMMAND 0x04u
#define COMMAND_MEMORY_MASTER 6u
#define BAR1 0x14u /* with the table for MSI-X at its start */
#define TABLE 0xc0010000u
#define BAR4 0x20u
#define CAPABILITIES 0x34u
#define VENDOR_SPECIFIC 9u
#define MSIX 0x11u
#define MSIX_ENABLE (1u << 31)
#define COMMON 1u
#define NOTIFY 2u

#define DEVICE_FEATURE_SELECT 0x00u
#define DRIVER_FEATURE_SELECT 0x08u
#define DRIVER_FEATURE 0x0cu
#define STATUS 0x14u
#define QUEUE_SELECT 0x16u
#define QUEUE_SIZE 0x18u
#define QUEUE_VECTOR 0x1au
#define QUEUE_ENABLE 0x1cu
#define QUEUE_DESCRIPTORS 0x20u
#define QUEUE_AVAILABLE 0x28u
#define QUEUE_USED 0x30u
#define FEATURES_HIGH 3u /* VIRTIO_F_VERSION_1 and VIRTIO_F_ACCESS_PLATFORM */

#define ENTRIES 8u
#define NEXT 1u
#define WRITE 2u
#define PATIENCE 12000000000ull /* of the TSC, some seconds */

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

struct rings {
	struct descriptor descriptors[ENTRIES];
	struct {
		uint16_t flags, index, ring[ENTRIES];
	} available;
	uint8_t pad[0x800 - 16 * ENTRIES - 4 - 2 * ENTRIES];
	struct {
		uint16_t flags, index;
		struct {
			uint32_t id, length;
		} ring[ENTRIES];
	} used;
};

struct request {
	uint32_t type, reserved;
	uint64_t sector;
	uint8_t status;
};

static uint64_t place;
static uint32_t common, notify, msix;
static bool has_message;
static uint16_t asked;

static volatile struct rings *rings(void)
{
	return shared_view(place);
}

static volatile struct request *request(void)
{
	return shared_view(place + 0x1000);
}

static void find_structures(void)
{
	uint32_t at = pci_read(VIRTIO_FUNCTION, CAPABILITIES) & 0xfc;

	for (unsigned int n = 0; at && n < 32; n++) {
		uint32_t head = pci_read(VIRTIO_FUNCTION, at);
		uint32_t where = VIRTIO_BAR + pci_read(VIRTIO_FUNCTION, at + 8);

		if ((head & 0xff) == VENDOR_SPECIFIC && head >> 24 == COMMON)
			common = where;
		if ((head & 0xff) == VENDOR_SPECIFIC && head >> 24 == NOTIFY)
			notify = where;
		if ((head & 0xff) == MSIX)
			msix = at;
		at = head >> 8 & 0xfc;
	}
}

void virtio_place(uint64_t gpa)
{
	place = gpa;
	(void)page_make_shared(place);
	(void)page_make_shared(place + 0x1000);
	pci_write(VIRTIO_FUNCTION, BAR1, TABLE);
	pci_write(VIRTIO_FUNCTION, BAR4, VIRTIO_BAR);
	pci_write(VIRTIO_FUNCTION, BAR4 + 4, 0);
	pci_write(VIRTIO_FUNCTION, COMMAND, COMMAND_MEMORY_MASTER);
	find_structures();
}

uint8_t virtio_status(void)
{
	return (uint8_t)memory_read(common + STATUS, 1);
}

void virtio_set_status(uint8_t status)
{
	memory_write(common + STATUS, 1, status);
}

static void write_address(uint32_t reg, uint64_t address)
{
	memory_write(common + reg, 4, (uint32_t)address);
	memory_write(common + reg + 4, 4, address >> 32);
}

uint8_t virtio_start_at(uint64_t descriptors, uint64_t available, uint64_t used)
{
	asked = 0;
	has_message = false;
	virtio_set_status(0);
	while (virtio_status() != 0)
		;
	virtio_set_status(3);
	memory_write(common + DRIVER_FEATURE_SELECT, 4, 0);
	memory_write(common + DRIVER_FEATURE, 4, 0);
	memory_write(common + DRIVER_FEATURE_SELECT, 4, 1);
	memory_write(common + DRIVER_FEATURE, 4, FEATURES_HIGH);
	virtio_set_status(11);
	memory_write(common + QUEUE_SELECT, 2, 0);
	memory_write(common + QUEUE_SIZE, 2, ENTRIES);
	write_address(QUEUE_DESCRIPTORS, descriptors);
	write_address(QUEUE_AVAILABLE, available);
	write_address(QUEUE_USED, used);
	memory_write(common + QUEUE_ENABLE, 2, 1);
	virtio_set_status(VIRTIO_STATUS_DRIVER_OK);
	return virtio_status();
}

uint8_t virtio_start(void)
{
	for (size_t i = 0; i < sizeof(struct rings); i++)
		((volatile uint8_t *)rings())[i] = 0;
	return virtio_start_at(place, place + offsetof(struct rings, available),
			       place + offsetof(struct rings, used));
}

void virtio_set_message(uint64_t address, uint32_t data)
{
	has_message = true;
	pci_write(VIRTIO_FUNCTION, msix, pci_read(VIRTIO_FUNCTION, msix) | MSIX_ENABLE);
	memory_write(TABLE + 12, 4, 1);
	memory_write(TABLE, 4, (uint32_t)address);
	memory_write(TABLE + 4, 4, address >> 32);
	memory_write(TABLE + 8, 4, data);
	memory_write(TABLE + 12, 4, 0);
	memory_write(common + QUEUE_SELECT, 2, 0);
	memory_write(common + QUEUE_VECTOR, 2, 0);
}

void virtio_notify(void)
{
	memory_write(notify, 2, 0);
}

void virtio_ask(uint32_t type, uint64_t sector, uint64_t gpa, uint32_t size)
{
	volatile struct descriptor *d = rings()->descriptors;

	request()->type = type;
	request()->sector = sector;
	request()->status = VIRTIO_NO_ANSWER;
	d[0].address = place + 0x1000;
	d[0].length = offsetof(struct request, status);
	d[0].flags = NEXT;
	d[0].next = 1;
	d[1].address = gpa;
	d[1].length = size;
	d[1].flags = NEXT | (type == VIRTIO_READ ? WRITE : 0);
	d[1].next = 2;
	d[2].address = place + 0x1000 + offsetof(struct request, status);
	d[2].length = 1;
	d[2].flags = WRITE;
	rings()->available.flags = !has_message; /* no interrupts */
	rings()->available.ring[asked % ENTRIES] = 0;
	asked++;
	__asm__ volatile("mfence" : : : "memory");
	rings()->available.index = asked;
	__asm__ volatile("mfence" : : : "memory");
	virtio_notify();
}

bool virtio_answered(void)
{
	return rings()->used.index == asked;
}

uint8_t virtio_wait(void)
{
	struct patience p = patience_of(PATIENCE);

	while (!virtio_answered() && patience_lasts(&p))
		if (virtio_status() & VIRTIO_STATUS_NEEDS_RESET)
			return VIRTIO_NO_ANSWER;
	return request()->status;
}

uint8_t virtio_request(uint32_t type, uint64_t sector, uint64_t gpa, uint32_t size)
{
	virtio_ask(type, sector, gpa, size);
	return virtio_wait();
}
