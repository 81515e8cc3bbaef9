/* SPDX-License-Identifier: MIT */
/*
 * What a loader writes to the parameter areas of an IGVM file: this machine's memory, processors,
 * ACPI tables, device tree and command line.
 */
#ifndef SOCLE_MACHINE_HOST_PARAMETERS_H
#define SOCLE_MACHINE_HOST_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/igvm.h"
#include "abi/params.h"
#include "core/base/host/error.h"
#include "core/image/igvm.h"

#define PARAMETERS_RANGES_MAX 8u

/* A piece of the guest's address space, of whole pages. */
struct parameters_range {
	struct socle_range range;
	uint16_t type; /* IGVM_MEMORY_* */
};

/* The machine that is described. */
struct parameters_facts {
	uint32_t cpu_count;
	struct parameters_range ranges[PARAMETERS_RANGES_MAX]; /* ascending */
	uint32_t range_count;
	struct socle_range mmio[IGVM_MMIO_RANGES]; /* of no size: there is none */
	bool svsm_disk;				   /* the device at MACHINE_SVSM_DISK is there */
	const char *command_line;
};

/*
 * The machine of cpu_count vCPUs, ram_size bytes of RAM and a flash of flash_size bytes (layout.h).
 * The command line stays the caller's.
 */
void parameters_machine(struct parameters_facts *facts, uint32_t cpu_count, uint64_t ram_size,
			uint64_t flash_size, const char *command_line);

/*
 * Writes the parameter of a directive (igvm_is_parameter()) to its area of size bytes. False when
 * it does not fit behind the directive's byte offset.
 */
bool parameters_write(const struct parameters_facts *facts, const struct igvm_directive *directive,
		      uint8_t *area, size_t size, struct host_error *error);

#endif
