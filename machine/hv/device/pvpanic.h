/* SPDX-License-Identifier: MIT */
/*
 * By what a guest's kernel says that it has panicked: QEMU's pvpanic on ISA, which its DSDT
 * announces (QEMU, docs/specs/pvpanic).
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_PVPANIC_H
#define SOCLE_MACHINE_HV_DEVICE_PVPANIC_H

#include "machine/hv/device/ports.h"

#define PVPANIC_PORT 0x505u

/* Of the port's bits the one for a panic ends the machine; the others are QEMU's (ports.h). */
bool pvpanic_write(struct port_access *a);

#endif
