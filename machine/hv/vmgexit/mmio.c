/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/mmio.h"

#include <string.h>

#include "machine/hv/base/port.h"
#include "machine/hv/event/irq.h"
#include "machine/hv/memory/npt.h"

#define IOAPIC_BASE 0xfec00000ull
#define MMIO_END 0x100000000ull

struct access {
	uint64_t gpa;
	unsigned int size;
	bool write;
	uint64_t value; /* in or out */
};

static void device_access(struct access *a)
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

static void apic_access(struct ghcb_call *c, struct access *a)
{
	struct apic *apic = irq_apic(c->p);
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
	irq_apic_effects(c->v, c->p, &effects);
}

static void ioapic_access(struct ghcb_call *c, struct access *a)
{
	uint32_t offset = (uint32_t)(a->gpa - IOAPIC_BASE);

	if (a->size != 4)
		a->value = ~0ull;
	else if (a->write)
		irq_ioapic_write(c->v, offset, (uint32_t)a->value);
	else
		a->value = irq_ioapic_read(c->v, offset);
}

static bool in_page(uint64_t gpa, uint64_t base)
{
	return gpa >= base && gpa < base + ABI_PAGE_SIZE;
}

/* False: not an address of a device. */
static bool access(struct ghcb_call *c, struct access *a)
{
	if (a->gpa >= MMIO_END || npt_is_ram(a->gpa))
		return false;
	if (in_page(a->gpa, APIC_MMIO_BASE))
		apic_access(c, a);
	else if (in_page(a->gpa, IOAPIC_BASE))
		ioapic_access(c, a);
	else if (a->gpa < IOAPIC_BASE)
		device_access(a);
	else
		/* HPET (its messages could be INIT to us), message addresses, ROM. */
		a->value = ~0ull;
	return true;
}

void mmio_exit(struct ghcb_call *c)
{
	struct access a = {
		.gpa = c->info_1 & ~HV_C_BIT,
		.size = (unsigned int)c->info_2,
		.write = c->code == GHCB_EXIT_MMIO_WRITE,
	};
	void *data;

	if ((c->info_2 != 1 && c->info_2 != 2 && c->info_2 != 4 && c->info_2 != 8) ||
	    a.gpa % a.size != 0) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	data = ghcb_scratch(c, a.size);
	if (data == NULL)
		return;
	if (a.write)
		memcpy(&a.value, data, a.size);
	if (!access(c, &a)) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	if (!a.write)
		memcpy(data, &a.value, a.size);
}
