/* SPDX-License-Identifier: MIT */
#include "monitor/ghcb/ghcb.h"

#define IOAPIC 0xfec00000ull
#define IOAPIC_INDEX 0x00u
#define IOAPIC_DATA 0x10u
#define ENTRY_LOW(pin) (0x10u + 2 * (pin))
#define ENTRY_HIGH(pin) (0x11u + 2 * (pin))
#define ENTRY_MASKED (1u << 16)
#define ENTRY_DESTINATION_SHIFT 24

static bool put(uint32_t reg, uint32_t value)
{
	return ghcb_mmio_write32(IOAPIC + IOAPIC_INDEX, reg) &&
	       ghcb_mmio_write32(IOAPIC + IOAPIC_DATA, value);
}

/* What else is 0 in the entry: fixed, a physical destination, active high, by an edge. */
bool ghcb_ioapic_pin(unsigned int pin, unsigned int cpu, uint8_t vector)
{
	return put(ENTRY_HIGH(pin), cpu << ENTRY_DESTINATION_SHIFT) &&
	       put(ENTRY_LOW(pin), vector ? vector : ENTRY_MASKED);
}
