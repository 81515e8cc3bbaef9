/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupts. Those of IOAPIC pins and messages of devices go to the planes that
 * programmed them, interrupts of the 8259s to the least privileged plane that has a VMSA; or all to
 * that of `--device-plane`.
 */
#ifndef SOCLE_MACHINE_HV_EVENT_HOST_INTERRUPT_H
#define SOCLE_MACHINE_HV_EVENT_HOST_INTERRUPT_H

#include "machine/hv/plane/vcpu.h"

/*
 * The plane of this vCPU that an interrupt of the 8259s is for, and a message of a device where
 * there is no IOMMU. NULL: it has none, and the interrupt is gone.
 */
struct plane *host_interrupt_plane(struct vcpu *v);

/* Takes and routes those that are pending on this CPU. After an INTR exit and after idling. */
void host_interrupt(struct vcpu *v);

#endif
