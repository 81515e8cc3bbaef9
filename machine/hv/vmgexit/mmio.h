/* SPDX-License-Identifier: MIT */
/*
 * MMIO that the guest asks for by GHCB exits. The local APIC is emulated, the IOAPIC is a checked
 * proxy, the PCI hole is QEMU's own. Everything else reads all-ones; RAM and what lies above 4 GiB,
 * where the hypervisor lives, is refused.
 */
#ifndef SOCLE_MACHINE_HV_VMGEXIT_MMIO_H
#define SOCLE_MACHINE_HV_VMGEXIT_MMIO_H

#include "machine/hv/vmgexit/call.h"

/* NAE exits MMIO_READ and MMIO_WRITE: gPA, 1, 2, 4 or 8 bytes naturally aligned, via scratch. */
void mmio_exit(struct ghcb_call *c);

#endif
