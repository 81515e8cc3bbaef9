/* SPDX-License-Identifier: MIT */
/*
 * The registers by which a guest tells a PCI device what messages to send (MSI and MSI-X; PCI Local
 * Bus specification 3.0, 6.8). The guest reads what it wrote; the device is given what the IOMMU
 * lets through (event/messages.h).
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_MSI_H
#define SOCLE_MACHINE_HV_DEVICE_MSI_H

#include "machine/hv/device/mmio.h"

/*
 * Looks for both in the device at that address of PCI configuration (bus, device and function in
 * 23:8). Once for each, on the boot CPU.
 */
void msi_add_device(uint32_t device);

/*
 * A write of size bytes to a device's register: whether the device gets it, with *value perhaps
 * changed. vmpl makes it.
 */
bool msi_config_write(uint32_t device, unsigned int reg, unsigned int size, uint32_t *value,
		      unsigned int vmpl);

/* What a read gives where the device gave *value. */
void msi_config_read(uint32_t device, unsigned int reg, unsigned int size, uint32_t *value);

/* An access to device memory: true when it was one to a table of messages, and is done. */
bool msi_table_access(struct mmio_access *a);

#endif
