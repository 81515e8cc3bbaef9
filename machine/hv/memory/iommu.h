/* SPDX-License-Identifier: MIT */
/*
 * QEMU's IOMMU, an AMD-Vi (AMD I/O Virtualization Technology specification, 48882). QEMU's devices
 * write memory and know nothing of the RMP, so it stands between: what they reach at a
 * guest-physical address is the page that the guest shows them, or nothing, and a message that is
 * no interrupt of theirs reaches no processor. It is the hypervisor's alone; a guest neither finds
 * nor reaches it. There is one where the machine has devices (`socle run --disk`), and all of this
 * does nothing where there is none.
 */
#ifndef SOCLE_MACHINE_HV_MEMORY_IOMMU_H
#define SOCLE_MACHINE_HV_MEMORY_IOMMU_H

#include <stdbool.h>
#include <stdint.h>

#define IOMMU_INTERRUPTS 2048u
#define IOMMU_DEVICES_MAX 32u /* that the machine may have */

/* Whether the machine has one. */
bool iommu_exists(void);

/*
 * A device of bus 0, by device (7:3) and function (2:0). Those that are not named before
 * iommu_init() reach nothing. On the boot CPU, after guest_init(), as the next.
 */
void iommu_add_device(unsigned int function);

/*
 * Turns it on, with no page mapped and no interrupt let through. Once. Panics where there have to
 * be devices behind it and it does not do what it is told.
 */
void iommu_init(void);

/*
 * Lets devices reach count pages of guest RAM from page on, or no longer: then no access that
 * begins after the return does.
 */
void iommu_map(uint64_t page, uint64_t count);
void iommu_unmap(uint64_t page, uint64_t count);

/*
 * Writes into the log what devices wanted and did not reach, where QEMU reports that as an IOMMU
 * does.
 */
void iommu_tell_faults(void);

/*
 * A message with data index, which is below IOMMU_INTERRUPTS and of a device or of the IOAPIC,
 * becomes that vector at the CPU with that APIC id.
 */
void iommu_set_interrupt(unsigned int index, uint8_t vector, uint32_t apic_id);

/* ... reaches no CPU, as all do at first. */
void iommu_clear_interrupt(unsigned int index);

#endif
