/* SPDX-License-Identifier: MIT */
/*
 * The disk of VMPL0: a virtio block device with the MMIO transport of virtio 1.2, 4.2.2, in a page
 * of its own (MACHINE_SVSM_DISK). It reaches shared pages of the guest alone, raises no interrupt,
 * and carries a request out before the write that announces it is over.
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_SVSM_DISK_H
#define SOCLE_MACHINE_HV_DEVICE_SVSM_DISK_H

#include "machine/hv/device/mmio.h"

/*
 * An access to that page (mmio.h): without a disk, and for other levels than VMPL0, there is
 * nothing. The big lock may be free meanwhile.
 */
void svsm_disk_access(struct mmio_access *a);

#endif
