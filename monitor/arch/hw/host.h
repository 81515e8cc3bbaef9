/* SPDX-License-Identifier: MIT */
#ifndef SOCLE_MONITOR_ARCH_HW_HOST_H
#define SOCLE_MONITOR_ARCH_HW_HOST_H

#include <stdbool.h>

#include "abi/params.h"
#include "monitor/mem/alloc.h"

/* Says where log and host channel are, once there is a GHCB; what was logged before goes out. */
void host_ports_init(const struct socle_params *params);

/* Shares the bounce pages of guest requests. False: no memory, or the host refused. */
bool host_requests_init(struct page_owner *owner);

#endif
