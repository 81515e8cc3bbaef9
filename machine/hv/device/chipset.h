/* SPDX-License-Identifier: MIT */
/*
 * What firmware would have done to QEMU's q35 board, and what no guest may do to it: there is no
 * SMM firmware and one board for hypervisor and guest.
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_CHIPSET_H
#define SOCLE_MACHINE_HV_DEVICE_CHIPSET_H

#include "machine/hv/device/ports.h"

#define CHIPSET_PM_BASE 0x600u	  /* ACPI PM registers, as QEMU's own tables say: PM1_STS */
#define CHIPSET_PM_ENABLE 0x602u  /* PM1_EN */
#define CHIPSET_PM_CONTROL 0x604u /* PM1_CNT */
#define CHIPSET_PM_TIMER 0x608u
#define CHIPSET_PCI_PORTS_FIRST 0x1000u /* what guests may give to PCI devices */

/* Places the ACPI registers and turns ACPI mode on. Once, on the boot CPU. */
void chipset_init(void);

/*
 * Shows RAM instead of ROM below 1 MiB, as a PC's firmware does: guests take it for memory. The
 * host bridge's PAM registers; not before the other CPUs have started, which they do from the ROM.
 */
void chipset_show_shadow_ram(void);

/*
 * Look at a guest's write to the keyboard controller, fast A20, the ACPI registers, or PCI and
 * reset control, before it is done (ports.h). They may end the machine: power-off, reset.
 */
bool chipset_keyboard_write(struct port_access *a);
bool chipset_a20_write(struct port_access *a);
bool chipset_pm_write(struct port_access *a);
bool chipset_pci_write(struct port_access *a);

/* Reads the ACPI registers: QEMU's, with RTC_STS (alarm.h). */
uint32_t chipset_pm_read(const struct port_access *a);

/* Reads PCI and reset control: a device that is not the guest's reads as none. */
uint32_t chipset_pci_read(const struct port_access *a);

/*
 * Whether the address is in the ECAM, memory-mapped PCI configuration, where the guest has put it.
 */
bool chipset_is_ecam(uint64_t gpa);

/* What the guest sees of size bytes there where the device says value. */
uint64_t chipset_ecam_seen(uint64_t gpa, unsigned int size, uint64_t value);

/* A write of 1, 2, 4 or 8 bytes there, aligned: what is refused by ports is refused here. */
void chipset_ecam_write(struct vcpu *v, uint64_t gpa, unsigned int size, uint32_t value);

#endif
