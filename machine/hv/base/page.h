/* SPDX-License-Identifier: MIT */
/* Pages of the hypervisor's RAM. They are taken at start and never given back. */
#ifndef SOCLE_MACHINE_HV_BASE_PAGE_H
#define SOCLE_MACHINE_HV_BASE_PAGE_H

#include <stdint.h>

/* count zeroed, consecutive pages; their address is physical, too. Panics when there are none. */
void *page_take(uint64_t count);

#endif
