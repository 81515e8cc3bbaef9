/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/hotplug.h"

#include "machine/hv/base/cpu.h"

/* Offsets of registers, and what the command selects at CPU_DATA. */
#define CPU_SELECTOR 0u
#define CPU_STATUS 4u
#define CPU_COMMAND 5u
#define CPU_DATA 8u
#define CPU_STATUS_ENABLED 1u
#define COMMAND_SELECTED 0u /* with an event pending: there is none, so it stays */
#define COMMAND_ARCHITECTURE_ID 3u

static uint32_t selector;
static uint8_t command;

uint32_t hotplug_cpu_read(const struct port_access *a)
{
	if (selector >= cpu_count())
		return 0;
	switch (a->port - HOTPLUG_PORT_CPU) {
	case CPU_STATUS:
		return CPU_STATUS_ENABLED;
	case CPU_DATA: /* the APIC id is the number */
		return command == COMMAND_SELECTED || command == COMMAND_ARCHITECTURE_ID ? selector
											 : 0;
	default:
		return 0;
	}
}

bool hotplug_cpu_write(struct port_access *a)
{
	if (a->port == HOTPLUG_PORT_CPU + CPU_SELECTOR)
		selector = a->value;
	else if (a->port == HOTPLUG_PORT_CPU + CPU_COMMAND)
		command = (uint8_t)a->value;
	return false;
}

uint32_t hotplug_memory_read(const struct port_access *a)
{
	(void)a;
	return 0;
}

bool hotplug_memory_write(struct port_access *a)
{
	(void)a;
	return false;
}
