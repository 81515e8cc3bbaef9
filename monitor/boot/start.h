/* SPDX-License-Identifier: MIT */
/* What the start does behind the first vCPU's own: the other vCPUs, and the guest. */
#ifndef SOCLE_MONITOR_BOOT_START_H
#define SOCLE_MONITOR_BOOT_START_H

#include "abi/params.h"
#include "monitor/mem/alloc.h"

/*
 * Starts vCPUs 1..wanted-1 at VMPL0, one after the other, and waits for each without end: a host that
 * accepts to start a vCPU and does not run it holds the VM before its first guest instruction, which
 * it could do anyway, and a slow or paused one only needs its time. A host that refuses is fatal.
 * Each of them ends in run_loop().
 */
void boot_start_others(unsigned int wanted, struct page_owner *owner);

/*
 * Prepares the guest and starts its first vCPU at VMPL2: memory validated, zeroed and granted, its
 * pages filled, its VMSA known to the host. After the services are ready.
 */
void boot_launch_guest(const struct socle_params *params, struct page_owner *owner);

#endif
