/* SPDX-License-Identifier: MIT */
/*
 * Clock and CMOS: QEMU's, but for the number of processors, of which QEMU's machine has one more.
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_CMOS_H
#define SOCLE_MACHINE_HV_DEVICE_CMOS_H

#include "machine/hv/device/ports.h"

#define CMOS_PORT_INDEX 0x70u
#define CMOS_PORT_DATA 0x71u

uint32_t cmos_read(const struct port_access *a);
bool cmos_write(struct port_access *a);

#endif
