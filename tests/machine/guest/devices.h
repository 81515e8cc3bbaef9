/* SPDX-License-Identifier: MIT */
/* Ports and device memory by the GHCB's exits; sizes are bytes. */
#ifndef SOCLE_TESTS_MACHINE_DEVICES_H
#define SOCLE_TESTS_MACHINE_DEVICES_H

#include <stdint.h>

uint32_t port_read(uint16_t port, unsigned int size);
void port_write(uint16_t port, unsigned int size, uint32_t value);

uint64_t memory_read(uint64_t gpa, unsigned int size);
void memory_write(uint64_t gpa, unsigned int size, uint64_t value);

#endif
