/* SPDX-License-Identifier: MIT */
/* Pages of the hypervisor's RAM. They are taken at start and never given back. */
#ifndef SOCLE_MACHINE_HV_BASE_PAGE_H
#define SOCLE_MACHINE_HV_BASE_PAGE_H

#include "abi/types.h"

/* How many pages that many bytes take. */
static inline uint64_t page_count(uint64_t bytes)
{
	return (bytes + ABI_PAGE_SIZE - 1) / ABI_PAGE_SIZE;
}

/*
 * count consecutive pages, zero as the host process gives them; what nobody touches costs it
 * nothing. Their address is physical, too. Panics when there are none.
 */
void *page_take(uint64_t count);

#endif
