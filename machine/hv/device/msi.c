/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/msi.h"

#include <string.h>

#include "machine/hv/base/log.h"
#include "machine/hv/base/page.h"
#include "machine/hv/device/pci_config.h"
#include "machine/hv/event/messages.h"
#include "machine/hv/memory/iommu.h"

#define PCI_BAR_64 4u
#define PCI_BAR_KIND 7u
#define CAPABILITIES_MAX 48u
#define CAPABILITY_MSI 0x05u
#define CAPABILITY_MSIX 0x11u

#define MSI_64 (1u << 23) /* in the first 32 bits of its capability */
#define MSI_SEVERAL 0x7eu /* how many messages it can send, and may: one, here */
#define MSI_ADDRESS 4u
#define MSI_REGISTERS 12u /* address, its upper half and data, or address and data */

#define MSIX_SIZE_SHIFT 16
#define MSIX_SIZE_MASK 0x7ffu
#define MSIX_BAR_MASK 7u
#define MSIX_ENTRY 16u
#define MSIX_ENTRY_DATA 8u
#define MSIX_ENTRY_CONTROL 12u
#define MSIX_MASKED 1u

/* What the guest wrote. */
union msix_entry {
	uint32_t words[4];
	struct {
		uint64_t address;
		uint32_t data, control;
	};
};
ABI_SIZE(union msix_entry, MSIX_ENTRY);

struct msi_device {
	uint32_t address; /* of its configuration */
	unsigned int msi; /* where its capability is; 0: it has none, as with the next */
	bool msi_64;
	uint8_t msi_registers[MSI_REGISTERS], msi_place;
	unsigned int msix, bar; /* its register */
	uint32_t offset, count; /* of its table, in the BAR */
	union msix_entry *entries;
	uint8_t *places; /* of each */
	bool moved;	 /* the BAR was written since table is known */
	uint64_t table;	 /* gPA */
};

static struct msi_device devices[IOMMU_DEVICES_MAX];
static unsigned int device_count;

static void found_msix(struct msi_device *d, unsigned int at, uint32_t head)
{
	uint32_t table = pci_config_read(d->address, at + 4);

	/* So no entry lies in two pages. QEMU's tables are whole pages. */
	if ((table & ~MSIX_BAR_MASK) % MSIX_ENTRY != 0)
		return;
	d->msix = at;
	d->count = (head >> MSIX_SIZE_SHIFT & MSIX_SIZE_MASK) + 1;
	d->bar = PCI_BAR_FIRST + 4 * (table & MSIX_BAR_MASK);
	d->offset = table & ~MSIX_BAR_MASK;
	d->entries = page_take(page_count(d->count * sizeof(*d->entries)));
	d->places = page_take(page_count(d->count));
	d->moved = true;
	for (uint32_t i = 0; i < d->count; i++)
		d->entries[i].control = MSIX_MASKED;
}

void msi_add_device(uint32_t device)
{
	struct msi_device *d;
	unsigned int at;

	if (device_count == IOMMU_DEVICES_MAX)
		hv_panic("more than %u devices send messages", IOMMU_DEVICES_MAX);
	if (!(pci_config_read(device, PCI_COMMAND) & PCI_STATUS_CAPABILITIES))
		return;
	d = &devices[device_count];
	d->address = device;
	at = pci_config_read(device, PCI_CAPABILITIES) & 0xfc;
	for (unsigned int n = 0; at && n < CAPABILITIES_MAX; n++) {
		uint32_t head = pci_config_read(device, at);

		if ((head & 0xff) == CAPABILITY_MSI) {
			d->msi = at;
			d->msi_64 = head & MSI_64;
		} else if ((head & 0xff) == CAPABILITY_MSIX) {
			found_msix(d, at, head);
		}
		at = head >> 8 & 0xfc;
	}
	if (d->msi || d->msix)
		device_count++;
}

static struct msi_device *find(uint32_t device)
{
	for (unsigned int i = 0; i < device_count; i++)
		if (devices[i].address == device)
			return &devices[i];
	return NULL;
}

/*
 * Which of the registers for a message one of configuration is: its offset among them, or
 * MSI_REGISTERS.
 */
static unsigned int message_register(const struct msi_device *d, unsigned int reg)
{
	unsigned int size = d->msi_64 ? 10 : 6; /* data are 16 bits wide */

	if (!d->msi || reg < d->msi + MSI_ADDRESS || reg >= d->msi + MSI_ADDRESS + size)
		return MSI_REGISTERS;
	return reg - d->msi - MSI_ADDRESS;
}

/* Makes the device send what the guest has asked for. */
static void program_msi(struct msi_device *d, unsigned int vmpl)
{
	unsigned int data_at = d->msi_64 ? 8 : 4;
	uint64_t address = 0;
	uint16_t data;

	memcpy(&address, d->msi_registers, data_at);
	memcpy(&data, d->msi_registers + data_at, sizeof(data));
	(void)messages_set(&d->msi_place, address, data, vmpl); /* without a place it is dropped */
	pci_config_write(d->address, d->msi + MSI_ADDRESS, 4, MESSAGES_ADDRESS);
	if (d->msi_64)
		pci_config_write(d->address, d->msi + MSI_ADDRESS + 4, 4, 0);
	pci_config_write(d->address, d->msi + MSI_ADDRESS + data_at, 2, d->msi_place);
}

/* Takes those bits of the capability's first 32 out of a value that is at reg. */
static void clear_several(const struct msi_device *d, unsigned int reg, unsigned int size,
			  uint32_t *value)
{
	unsigned int control = d->msi + 2;

	if (d->msi && control >= reg && control < reg + size)
		*value &= ~(MSI_SEVERAL << 8 * (control - reg));
}

bool msi_config_write(uint32_t device, unsigned int reg, unsigned int size, uint32_t *value,
		      unsigned int vmpl)
{
	struct msi_device *d = find(device);
	bool is_message = false;

	if (!d)
		return true;
	if (reg < PCI_BAR_END && reg + size > PCI_BAR_FIRST)
		d->moved = true;
	for (unsigned int i = 0; i < size; i++) {
		unsigned int at = message_register(d, reg + i);

		if (at == MSI_REGISTERS)
			continue;
		d->msi_registers[at] = (uint8_t)(*value >> 8 * i);
		is_message = true;
	}
	if (is_message)
		program_msi(d, vmpl);
	clear_several(d, reg, size, value);
	return !is_message;
}

void msi_config_read(uint32_t device, unsigned int reg, unsigned int size, uint32_t *value)
{
	const struct msi_device *d = find(device);

	if (!d)
		return;
	for (unsigned int i = 0; i < size; i++) {
		unsigned int at = message_register(d, reg + i);

		if (at == MSI_REGISTERS)
			continue;
		*value &= ~(0xffu << 8 * i);
		*value |= (uint32_t)d->msi_registers[at] << 8 * i;
	}
	clear_several(d, reg, size, value);
}

/* Where its table of messages is now. */
static uint64_t table_of(struct msi_device *d)
{
	uint64_t bar;

	if (!d->moved)
		return d->table;
	d->moved = false;
	bar = pci_config_read(d->address, d->bar);
	if ((bar & PCI_BAR_KIND) == PCI_BAR_64)
		bar |= (uint64_t)pci_config_read(d->address, d->bar + 4) << 32;
	d->table = (bar & ~0xfull) + d->offset;
	return d->table;
}

static void device_write(uint64_t gpa, uint32_t value)
{
	*(volatile uint32_t *)gpa = value;
}

/* Masked first, so that a message is never half. */
static void program_entry(struct msi_device *d, uint32_t n, unsigned int vmpl)
{
	uint64_t at = d->table + (uint64_t)n * MSIX_ENTRY;
	const union msix_entry *entry = &d->entries[n];
	uint8_t *place = &d->places[n];

	device_write(at + MSIX_ENTRY_CONTROL, MSIX_MASKED);
	if (entry->control & MSIX_MASKED)
		return;
	if (!messages_set(place, entry->address, entry->data, vmpl))
		return;
	device_write(at, MESSAGES_ADDRESS);
	device_write(at + 4, 0);
	device_write(at + MSIX_ENTRY_DATA, *place);
	device_write(at + MSIX_ENTRY_CONTROL, 0);
}

/* 32 or 64 bits, as the specification has it; others read as ones. */
static void entry_access(struct msi_device *d, struct mmio_access *a)
{
	uint32_t offset = (uint32_t)(a->gpa - d->table);
	uint32_t n = offset / MSIX_ENTRY, word = offset % MSIX_ENTRY / 4;
	union msix_entry *entry = &d->entries[n];

	if (a->size < 4) {
		a->value = ~0ull;
		return;
	}
	if (!a->write) {
		a->value = entry->words[word];
		if (a->size == 8)
			a->value |= (uint64_t)entry->words[word + 1] << 32;
		return;
	}
	entry->words[word] = (uint32_t)a->value;
	if (a->size == 8)
		entry->words[word + 1] = (uint32_t)(a->value >> 32);
	program_entry(d, n, a->v->current);
}

bool msi_table_access(struct mmio_access *a)
{
	for (unsigned int i = 0; i < device_count; i++) {
		struct msi_device *d = &devices[i];

		if (!d->msix || a->gpa < table_of(d) ||
		    a->gpa - d->table >= (uint64_t)d->count * MSIX_ENTRY)
			continue;
		entry_access(d, a);
		return true;
	}
	return false;
}
