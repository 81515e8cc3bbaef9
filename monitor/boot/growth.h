/* SPDX-License-Identifier: MIT */
/*
 * What Socle takes beside its region where the host says that the VM is larger than the region is
 * made for (docs/budget.md): the end of a piece of RAM.
 */
#ifndef SOCLE_MONITOR_BOOT_GROWTH_H
#define SOCLE_MONITOR_BOOT_GROWTH_H

#include <stdbool.h>
#include <stddef.h>

#include "abi/params.h"

/* The region alone is for so much. */
#define GROWTH_FREE_GIB 16u
#define GROWTH_FREE_CPUS 8u

/* What one more of either takes, and up to how many. */
#define GROWTH_BYTES_PER_GIB (96u << 10)
#define GROWTH_BYTES_PER_CPU (96u << 10)
#define GROWTH_GIB_MAX 64u
#define GROWTH_CPUS_MAX 64u

/*
 * Bytes, whole pages, that a block takes whose RAM and vCPUs are complete: 0 where its region is
 * enough, and never more than for GROWTH_GIB_MAX and GROWTH_CPUS_MAX.
 */
uint64_t growth_size(const struct socle_params *params);

/*
 * Takes size bytes of RAM off ram[]: the end of the last piece that has more than that, apart from
 * what was loaded. NULL and where they are; or what is wrong, in one line.
 */
const char *growth_cut(struct socle_params *params, uint64_t size, struct socle_range *taken);

#endif
