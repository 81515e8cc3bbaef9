/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/messages.h"

#include "machine/hv/base/log.h"
#include "machine/hv/event/route.h"
#include "machine/hv/memory/iommu.h"

/* APM volume 2, 16.11; the same bits in the IOAPIC's entries and in an ICR. */
#define ADDRESS_MASK 0xfffffffffff00000ull
#define ADDRESS_DESTINATION_SHIFT 12
#define ADDRESS_LOGICAL (1u << 2)
#define DATA_MODE_SHIFT 8
#define REFUSALS_LOGGED 32u /* the log is not the guest's to fill */

struct message {
	bool used, logical;
	enum apic_mode mode;
	uint8_t vector;
	uint32_t destination;
	unsigned int vmpl;
};

static struct message messages[MESSAGES_END];

static bool refuse(uint8_t *place, const char *why, uint64_t address, uint32_t data)
{
	static unsigned int refusals;

	if (refusals++ < REFUSALS_LOGGED)
		hv_log("a device's message is refused, %s: address %lx, data %x", why, address,
		       data);
	messages_clear(place);
	return false;
}

static uint8_t free_place(void)
{
	for (unsigned int i = MESSAGES_FIRST; i < MESSAGES_END; i++)
		if (!messages[i].used)
			return (uint8_t)i;
	return MESSAGES_NONE;
}

bool messages_set(uint8_t *place, uint64_t address, uint32_t data, unsigned int writer)
{
	unsigned int all = hv_mailbox()->device_planes.all, vmpl = all != 0 ? all - 1 : writer;
	struct message m = { .used = true,
			     .logical = address & ADDRESS_LOGICAL,
			     .mode = data >> DATA_MODE_SHIFT & 7,
			     .vector = (uint8_t)data,
			     .destination = apic_destination_of(
				     address >> ADDRESS_DESTINATION_SHIFT & 0xff),
			     .vmpl = vmpl };

	if ((address & ADDRESS_MASK) != MESSAGES_ADDRESS)
		return refuse(place, "it is for no APIC", address, data);
	if (m.mode != APIC_MODE_FIXED && m.mode != APIC_MODE_LOWEST && m.mode != APIC_MODE_NMI)
		return refuse(place, "it is no interrupt", address, data);
	if (*place == MESSAGES_NONE)
		*place = free_place();
	if (*place == MESSAGES_NONE)
		return refuse(place, "there are too many", address, data);
	messages[*place] = m;
	iommu_set_interrupt(*place, *place,
			    cpu_apic_id(route_first(vmpl, m.destination, m.logical)));
	return true;
}

void messages_clear(uint8_t *place)
{
	if (*place == MESSAGES_NONE)
		return;
	iommu_clear_interrupt(*place);
	messages[*place].used = false;
	*place = MESSAGES_NONE;
}

bool messages_open(unsigned int vmpl)
{
	for (unsigned int i = MESSAGES_FIRST; i < MESSAGES_END; i++)
		if (messages[i].used && messages[i].vmpl == vmpl)
			return true;
	return false;
}

void messages_interrupt(uint8_t vector)
{
	const struct message *m;

	if (vector >= MESSAGES_END || !messages[vector].used)
		return;
	m = &messages[vector];
	route_to_all(m->vmpl, m->destination, m->logical, m->mode, m->vector, false);
}
