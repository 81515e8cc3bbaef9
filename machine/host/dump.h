/* SPDX-License-Identifier: MIT */
/* What a machine that has ended leaves in memory, as files: for tests that compare it. */
#ifndef SOCLE_MACHINE_HOST_DUMP_H
#define SOCLE_MACHINE_HOST_DUMP_H

#include "machine/host/launch.h"

/*
 * Writes into dir, which is made if it is not there: ram.bin, the guest's RAM from gPA 0 without
 * its holes, private pages in plain; and rmp.bin, a struct rmp_entry (core/snp/rmp.h) for each page
 * up to the last one, holes among them, unless the hypervisor ended before it made the table.
 * hv_ram is the hypervisor's RAM.
 */
bool dump_write(const struct machine_memory *memory, const void *hv_ram, const char *dir,
		struct host_error *error);

#endif
