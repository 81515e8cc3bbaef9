/* SPDX-License-Identifier: MIT */
/*
 * Memory-mapped devices of a guest: the local APIC and VMPL0's disk are emulated, the IOAPIC, PCI
 * configuration and devices' tables of messages are checked proxies, a TPM and the other memory of
 * PCI devices are QEMU's own. Everything else reads all-ones and swallows writes.
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_MMIO_H
#define SOCLE_MACHINE_HV_DEVICE_MMIO_H

#include "machine/hv/plane/vcpu.h"

struct mmio_access {
	struct vcpu *v;	   /* its current plane makes the access */
	uint64_t gpa;	   /* without C-bit */
	unsigned int size; /* 1, 2, 4 or 8, aligned */
	bool write;
	uint64_t value; /* in or out */
};

/*
 * False: RAM, or an address that no guest has. The big lock may be free meanwhile: what was
 * looked at in guest memory has to be looked at again.
 */
bool mmio_access(struct mmio_access *a);

#endif
