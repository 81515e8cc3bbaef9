/* SPDX-License-Identifier: MIT */
/*
 * What tests that run in a guest want of a virtual machine (`--test-devices`), at the ports where
 * QEMU's pc-testdev and isa-debug-exit have it: four bytes that read as they were written, and a
 * way to end with a number. They are the machine's own: of pc-testdev's other ports one takes pages
 * of the host's away, and one raises interrupt lines.
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_TEST_PORTS_H
#define SOCLE_MACHINE_HV_DEVICE_TEST_PORTS_H

#include "machine/hv/device/ports.h"

/* Whether the machine has them (ports.h). */
bool test_ports_exist(void);

/* The echo: bytes of one register of 32 bits, by accesses of any size within it. */
uint32_t test_ports_echo(const struct port_access *a);
bool test_ports_keep(struct port_access *a);

/* The exit port reads 0. A write ends the machine, with the value as it was written. */
uint32_t test_ports_exit_read(const struct port_access *a);
bool test_ports_exit(struct port_access *a);

#endif
