/* SPDX-License-Identifier: MIT */
/*
 * The I/O ports of a guest. Only ports that are on the list exist, and most are QEMU's devices: the
 * others read all-ones and swallow writes. A port of the list may belong to VMPL0 alone.
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_PORTS_H
#define SOCLE_MACHINE_HV_DEVICE_PORTS_H

#include "machine/hv/plane/vcpu.h"

/* An access, as the device behind the port sees it. */
struct port_access {
	struct vcpu *v; /* its current plane makes the access */
	uint16_t port;
	unsigned int size; /* 1, 2 or 4 bytes, all within the device's row (ports.c) */
	uint32_t value;	   /* in or out */
};

void ports_read(struct port_access *a);
void ports_write(struct port_access *a);

#endif
