/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/mmio.h"

#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/device/chipset.h"
#include "machine/hv/device/msi.h"
#include "machine/hv/device/svsm_disk.h"
#include "machine/hv/event/local_apic.h"
#include "machine/hv/event/pins.h"
#include "machine/hv/memory/guest.h"
#include "machine/hv/memory/iommu.h"

#define IOAPIC_BASE 0xfec00000ull

static void device_access(struct mmio_access *a)
{
	uintptr_t address = (uintptr_t)a->gpa;

	switch (a->size) {
	case 1:
		if (a->write)
			*(volatile uint8_t *)address = (uint8_t)a->value;
		else
			a->value = *(volatile uint8_t *)address;
		return;
	case 2:
		if (a->write)
			*(volatile uint16_t *)address = (uint16_t)a->value;
		else
			a->value = *(volatile uint16_t *)address;
		return;
	case 4:
		if (a->write)
			*(volatile uint32_t *)address = (uint32_t)a->value;
		else
			a->value = *(volatile uint32_t *)address;
		return;
	default:
		if (a->write)
			*(volatile uint64_t *)address = a->value;
		else
			a->value = *(volatile uint64_t *)address;
	}
}

/* PCI devices, but for their tables of messages. Configuration is by the rules for its ports. */
static void pci_access(struct mmio_access *a)
{
	if (!chipset_is_ecam(a->gpa)) {
		if (!msi_table_access(a))
			device_access(a);
		iommu_tell_faults();
		return;
	}
	if (a->write) {
		chipset_ecam_write(a->v, a->gpa, a->size, (uint32_t)a->value);
		return;
	}
	device_access(a);
	a->value = chipset_ecam_seen(a->gpa, a->size, a->value);
}

/*
 * Eight bytes as two accesses, the lower one first, as QEMU makes them of an exit of KVM's where
 * the device takes four at most (system/physmem.c, memory_access_size()). From a processor of
 * QEMU's own such a device does not take them.
 */
static void access_halves(struct mmio_access *a)
{
	struct mmio_access low = *a, high = *a;

	low.size = high.size = 4;
	high.gpa += 4;
	high.value >>= 32;
	device_access(&low);
	device_access(&high);
	if (!a->write)
		a->value = (uint32_t)low.value | high.value << 32;
}

/* It reaches no memory but its own, and has no interrupt: nothing is to be checked. */
static void tpm_access(struct mmio_access *a)
{
	if (!hv_mailbox()->tpm)
		a->value = ~0ull;
	else if (a->size == 8)
		access_halves(a);
	else
		device_access(a);
}

static void apic_access(struct mmio_access *a)
{
	struct plane *p = vcpu_plane(a->v);
	struct apic *apic = local_apic(p);
	struct apic_effects effects = { 0 };
	uint32_t offset = (uint32_t)(a->gpa - APIC_MMIO_BASE);

	if ((apic->base & (APIC_BASE_ENABLE | APIC_BASE_X2APIC)) != APIC_BASE_ENABLE ||
	    a->size != 4 || offset % 16 != 0) {
		a->value = ~0ull;
		return;
	}
	if (a->write)
		apic_write(apic, offset, (uint32_t)a->value, clock_now(), &effects);
	else
		a->value = apic_read(apic, offset, clock_now());
	local_apic_effects(a->v, p, &effects);
}

static void ioapic_access(struct mmio_access *a)
{
	uint32_t offset = (uint32_t)(a->gpa - IOAPIC_BASE);

	if (a->size != 4)
		a->value = ~0ull;
	else if (a->write)
		pins_write(a->v, offset, (uint32_t)a->value);
	else
		a->value = pins_read(offset);
}

static const struct {
	uint64_t first, end;
	void (*access)(struct mmio_access *a);
} windows[] = {
	{ 0, IOAPIC_BASE, pci_access },
	{ IOAPIC_BASE, IOAPIC_BASE + ABI_PAGE_SIZE, ioapic_access },
	/* Not here: HPET (its messages could be INIT to us), message addresses, ROM. */
	{ MACHINE_TPM, MACHINE_TPM + ABI_PAGE_SIZE, tpm_access },
	{ APIC_MMIO_BASE, APIC_MMIO_BASE + ABI_PAGE_SIZE, apic_access },
	{ MACHINE_SVSM_DISK, MACHINE_SVSM_DISK + ABI_PAGE_SIZE, svsm_disk_access },
	{ MACHINE_4G, HV_C_BIT, pci_access },
};

static bool is_own(uint64_t gpa)
{
	return gpa >= MACHINE_HV_BASE &&
	       gpa - MACHINE_HV_BASE < machine_hv_size(hv_mailbox()->guest_ram_size);
}

bool mmio_access(struct mmio_access *a)
{
	if (a->gpa >= HV_C_BIT || guest_is_ram(a->gpa))
		return false;
	if (is_own(a->gpa)) {
		a->value = ~0ull;
		return true;
	}
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		if (a->gpa >= windows[i].first && a->gpa < windows[i].end) {
			windows[i].access(a);
			return true;
		}
	}
	a->value = ~0ull;
	return true;
}
