/* SPDX-License-Identifier: MIT */
/*
 * Memory of the monitor's own image that holds secrets at times: a TPM command on its way, the
 * registers of a service. die() may come at any instruction, so it wipes all of it, whatever it
 * holds then. Pages have the same by their owner (alloc.h).
 */
#ifndef SOCLE_MONITOR_MEM_SECRET_H
#define SOCLE_MONITOR_MEM_SECRET_H

#include <stddef.h>

/* One range. Whoever has it keeps this and the memory where they are for ever. */
struct secret {
	void *data;
	size_t size;
	struct secret *next;
};

/* Registers a range, once. During the start, on the first vCPU. */
void secret_add(struct secret *secret, void *data, size_t size);

/* Zeroes every range. For die() only: takes no lock. */
void secret_wipe(void);

#endif
