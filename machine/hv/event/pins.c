/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/pins.h"

#include "machine/hv/base/log.h"
#include "machine/hv/event/alarm.h"
#include "machine/hv/event/ioapic.h"
#include "machine/hv/event/route.h"
#include "machine/hv/memory/iommu.h"

#define PHYSICAL_IOAPIC 0xfec00000ull

static struct ioapic ioapic;

static void physical_write(uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)(PHYSICAL_IOAPIC + IOAPIC_MMIO_INDEX) = reg;
	*(volatile uint32_t *)(PHYSICAL_IOAPIC + IOAPIC_MMIO_DATA) = value;
}

/* IRQ 8 is PM1's, too, where the guest does not listen to it. */
static bool is_alarm_alone(unsigned int n)
{
	const struct ioapic_pin *pin = &ioapic.pins[n];

	return n == ALARM_PIN && !ioapic_pin_open(pin) && !pin->in_service;
}

/* Then the hypervisor listens, until it has heard one: more would say nothing. */
static bool listens_alone(unsigned int n)
{
	return is_alarm_alone(n) && !alarm_status();
}

/* The bits of the physical entry that the guest decides: polarity and trigger mode. */
static uint32_t trigger(unsigned int n)
{
	return is_alarm_alone(n) ? 0
				 : (uint32_t)(ioapic.pins[n].entry &
					      (IOAPIC_ENTRY_LOW_ACTIVE | IOAPIC_ENTRY_LEVEL));
}

/*
 * Makes the physical entry what the guest's entry asks for; masked first, so it is never half. As
 * an edge it forgets that a level waits for its end, which it does not learn through QEMU's IOMMU:
 * messages from there are edges.
 */
static void update_pin(unsigned int n, unsigned int cpu)
{
	uint32_t reg = IOAPIC_REG_ENTRY + 2 * n;
	uint32_t entry = (PINS_VECTOR_BASE + n) | trigger(n);
	uint32_t cpu_id = cpu_apic_id(cpu);

	physical_write(reg, (PINS_VECTOR_BASE + n) | (uint32_t)IOAPIC_ENTRY_MASKED);
	physical_write(reg, entry | (uint32_t)IOAPIC_ENTRY_MASKED);
	if (iommu_exists()) {
		iommu_set_interrupt(PINS_VECTOR_BASE + n, (uint8_t)(PINS_VECTOR_BASE + n), cpu_id);
		cpu_id = 0; /* the IOMMU takes no other message */
	}
	physical_write(reg + 1, cpu_id << 24);
	if (ioapic_pin_open(&ioapic.pins[n]) || listens_alone(n))
		physical_write(reg, entry);
}

/* Whose a pin is for good, or -1: whoever writes its entry. */
static int owner_of(unsigned int n)
{
	const struct mailbox_device_planes *planes = &hv_mailbox()->device_planes;

	return (planes->pins[n] ? planes->pins[n] : planes->all) - 1;
}

static bool may_write(unsigned int vmpl)
{
	int pin = ioapic_selected(&ioapic);
	int owner = pin < 0 ? -1 : owner_of((unsigned int)pin);

	return owner < 0 || (unsigned int)owner == vmpl;
}

void pins_init(void)
{
	_Static_assert(MAILBOX_PINS == IOAPIC_PINS, "each has an owner");
	ioapic_reset(&ioapic);
	for (unsigned int n = 0; n < IOAPIC_PINS; n++)
		update_pin(n, 0);
}

static uint32_t destination_of(const struct ioapic_pin *pin)
{
	return apic_destination_of((uint32_t)(pin->entry >> IOAPIC_ENTRY_DESTINATION_SHIFT));
}

/* The guest's APICs get what pin n has for them. */
static void deliver(struct vcpu *v, unsigned int n)
{
	struct ioapic_pin *pin = &ioapic.pins[n];
	uint64_t entry = pin->entry;
	bool level = entry & IOAPIC_ENTRY_LEVEL;

	if (level) {
		pin->in_service = true;
		update_pin(n, v->id);
	}
	route_to_all(pin->vmpl, destination_of(pin), entry & IOAPIC_ENTRY_LOGICAL,
		     entry >> IOAPIC_ENTRY_MODE_SHIFT & 7, (uint8_t)entry, level);
}

void pins_interrupt(struct vcpu *v, unsigned int n)
{
	bool unheard = is_alarm_alone(n);

	if (n == ALARM_PIN)
		alarm_interrupt(v);
	if (!unheard)
		deliver(v, n);
}

void pins_listen(struct vcpu *v, unsigned int n)
{
	if (is_alarm_alone(n))
		update_pin(n, v->id);
}

void pins_set_line(struct vcpu *v, unsigned int n, bool asserted)
{
	if (ioapic_set_line(&ioapic, n, asserted))
		deliver(v, n);
}

/* Pin n has changed, and is served by that CPU. */
static void changed(struct vcpu *v, unsigned int n, unsigned int cpu)
{
	update_pin(n, cpu);
	if (ioapic_pin_due(&ioapic.pins[n]))
		deliver(v, n);
}

void pins_end_level(struct vcpu *v, unsigned int vmpl, uint8_t vector)
{
	for (unsigned int n = 0; n < IOAPIC_PINS; n++) {
		struct ioapic_pin *pin = &ioapic.pins[n];

		if (!pin->in_service || pin->vmpl != vmpl || (uint8_t)pin->entry != vector)
			continue;
		pin->in_service = false;
		changed(v, n, v->id);
	}
}

bool pins_in_service(unsigned int vmpl, uint8_t vector)
{
	for (unsigned int n = 0; n < IOAPIC_PINS; n++) {
		const struct ioapic_pin *pin = &ioapic.pins[n];

		if (pin->in_service && pin->vmpl == vmpl && (uint8_t)pin->entry == vector)
			return true;
	}
	return false;
}

bool pins_open(unsigned int vmpl)
{
	for (unsigned int n = 0; n < IOAPIC_PINS; n++) {
		if (ioapic.pins[n].vmpl == vmpl && ioapic_pin_open(&ioapic.pins[n]))
			return true;
	}
	return false;
}

uint32_t pins_read(uint32_t offset)
{
	if (offset == IOAPIC_MMIO_INDEX)
		return ioapic.index;
	return offset == IOAPIC_MMIO_DATA ? ioapic_read(&ioapic) : 0;
}

/* The CPU that serves a pin: that of the first destination, so that no kick is needed. */
static unsigned int pin_cpu(const struct ioapic_pin *pin)
{
	return route_first(pin->vmpl, destination_of(pin), pin->entry & IOAPIC_ENTRY_LOGICAL);
}

void pins_write(struct vcpu *v, uint32_t offset, uint32_t value)
{
	int pin;

	switch (offset) {
	case IOAPIC_MMIO_INDEX:
		ioapic.index = value & 0xff;
		return;
	case IOAPIC_MMIO_DATA:
		if (!may_write(v->current))
			return;
		pin = ioapic_write(&ioapic, value, v->current);
		if (pin >= 0)
			changed(v, (unsigned int)pin, pin_cpu(&ioapic.pins[pin]));
		return;
	case IOAPIC_MMIO_EOI:
		pins_end_level(v, v->current, (uint8_t)value);
		return;
	default:
		return;
	}
}
