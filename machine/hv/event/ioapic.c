/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/ioapic.h"

#include <string.h>

#include "machine/hv/event/apic.h"

#define IOAPIC_VERSION (0x20u | (IOAPIC_PINS - 1) << 16) /* with an EOI register */
#define ENTRY_WRITABLE 0xff0000000001afffull
#define ENTRY_RESET IOAPIC_ENTRY_MASKED

void ioapic_reset(struct ioapic *io)
{
	memset(io, 0, sizeof(*io));
	for (unsigned int i = 0; i < IOAPIC_PINS; i++)
		io->pins[i].entry = ENTRY_RESET;
}

static uint64_t visible_entry(const struct ioapic_pin *pin)
{
	return pin->entry | (pin->in_service ? IOAPIC_ENTRY_REMOTE_IRR : 0);
}

static bool is_entry(uint32_t index)
{
	return index >= IOAPIC_REG_ENTRY && index < IOAPIC_REG_ENTRY + 2 * IOAPIC_PINS;
}

int ioapic_selected(const struct ioapic *io)
{
	return is_entry(io->index) ? (int)(io->index - IOAPIC_REG_ENTRY) / 2 : -1;
}

uint32_t ioapic_read(const struct ioapic *io)
{
	if (is_entry(io->index)) {
		unsigned int n = io->index - IOAPIC_REG_ENTRY;
		uint64_t entry = visible_entry(&io->pins[n / 2]);

		return (uint32_t)(n % 2 ? entry >> 32 : entry);
	}
	switch (io->index) {
	case IOAPIC_REG_ID:
	case IOAPIC_REG_ARBITRATION:
		return io->id;
	case IOAPIC_REG_VERSION:
		return IOAPIC_VERSION;
	default:
		return 0;
	}
}

int ioapic_write(struct ioapic *io, uint32_t value, unsigned int vmpl)
{
	unsigned int n = io->index - IOAPIC_REG_ENTRY;
	struct ioapic_pin *pin;

	if (io->index == IOAPIC_REG_ID)
		io->id = value & 0x0f000000;
	if (!is_entry(io->index))
		return -1;
	pin = &io->pins[n / 2];
	if (n % 2)
		pin->entry = (pin->entry & 0xffffffff) | (uint64_t)value << 32;
	else
		pin->entry = (pin->entry & ~0xffffffffull) | value;
	pin->entry &= ENTRY_WRITABLE;
	pin->vmpl = vmpl;
	/* As hardware does: an entry that is made edge-triggered forgets what it waited for. */
	if (!(pin->entry & IOAPIC_ENTRY_LEVEL))
		pin->in_service = false;
	return (int)(n / 2);
}

bool ioapic_pin_open(const struct ioapic_pin *pin)
{
	enum apic_mode mode = pin->entry >> IOAPIC_ENTRY_MODE_SHIFT & 7;

	if ((pin->entry & IOAPIC_ENTRY_MASKED) || pin->in_service)
		return false;
	return mode == APIC_MODE_FIXED || mode == APIC_MODE_LOWEST || mode == APIC_MODE_NMI;
}

bool ioapic_pin_due(const struct ioapic_pin *pin)
{
	return pin->asserted && (pin->entry & IOAPIC_ENTRY_LEVEL) && ioapic_pin_open(pin);
}

bool ioapic_set_line(struct ioapic *io, unsigned int n, bool asserted)
{
	struct ioapic_pin *pin = &io->pins[n];
	bool rises = asserted && !pin->asserted;

	pin->asserted = asserted;
	if (pin->entry & IOAPIC_ENTRY_LEVEL)
		return ioapic_pin_due(pin);
	/* As QEMU's does and the data sheet has it: a masked pin forgets an edge. */
	return rises && ioapic_pin_open(pin);
}
