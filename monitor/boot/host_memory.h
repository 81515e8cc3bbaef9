/* SPDX-License-Identifier: MIT */
/* What the host says of the VM's size (abi/params.h, host): pages that no launch digest covers. */
#ifndef SOCLE_MONITOR_BOOT_HOST_MEMORY_H
#define SOCLE_MONITOR_BOOT_HOST_MEMORY_H

#include "abi/params.h"

/*
 * Completes a block that leaves RAM and vCPUs to the host: ram[], ram_count and cpu_count. pages
 * are SOCLE_HOST_SIZE bytes that nobody else writes any more; RAM ends at or below limit, above
 * which an address means something else. Returns NULL, or what is wrong with the host's words, in
 * one line.
 */
const char *host_memory_read(struct socle_params *params, const void *pages, uint64_t limit);

#endif
