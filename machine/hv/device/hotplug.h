/* SPDX-License-Identifier: MIT */
/*
 * The registers by which ACPI's tables of QEMU ask which processors and memory are there (QEMU,
 * docs/specs/acpi_cpu_hotplug and acpi_mem_hotplug). They are QEMU's own machine's there, and the
 * tables name its first processor and the hypervisor's memory: here neither is, and nothing comes
 * or goes.
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_HOTPLUG_H
#define SOCLE_MACHINE_HV_DEVICE_HOTPLUG_H

#include "machine/hv/device/ports.h"

#define HOTPLUG_PORT_CPU 0xcd8u
#define HOTPLUG_PORT_CPU_LAST 0xce3u
#define HOTPLUG_PORT_MEMORY 0xa00u
#define HOTPLUG_PORT_MEMORY_LAST 0xa17u

uint32_t hotplug_cpu_read(const struct port_access *a);
bool hotplug_cpu_write(struct port_access *a);

/* No memory is there. */
uint32_t hotplug_memory_read(const struct port_access *a);
bool hotplug_memory_write(struct port_access *a);

#endif
