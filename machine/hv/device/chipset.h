/* SPDX-License-Identifier: MIT */
/*
 * What firmware would have done to QEMU's q35 board, and what no guest may do to it: there is no
 * IOMMU, no SMM firmware and one board for hypervisor and guest.
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_CHIPSET_H
#define SOCLE_MACHINE_HV_DEVICE_CHIPSET_H

#include <stdbool.h>

#include "machine/hv/plane/vcpu.h"

#define CHIPSET_PM_BASE 0x600u	  /* ACPI PM registers, as QEMU's own tables say */
#define CHIPSET_PM_CONTROL 0x604u /* PM1_CNT */
#define CHIPSET_PM_TIMER 0x608u
#define CHIPSET_PORT_PCI_ADDRESS 0xcf8u
#define CHIPSET_PORT_PCI_DATA 0xcfcu

/* Places the ACPI registers and turns ACPI mode on. Once, on the boot CPU. */
void chipset_init(void);

/*
 * Looks at a guest's port write before it is done. May end the machine (power-off, reset), may
 * change the value, and returns false when the write must vanish.
 */
bool chipset_filter_write(struct vcpu *v, uint16_t port, unsigned int size, uint32_t *value);

#endif
