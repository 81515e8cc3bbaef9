/* SPDX-License-Identifier: MIT */
/* What the start does behind the first vCPU's own: the other vCPUs, and the guest. */
#ifndef SOCLE_MONITOR_BOOT_START_H
#define SOCLE_MONITOR_BOOT_START_H

#include "abi/params.h"
#include "monitor/mem/alloc.h"

/*
 * Starts vCPUs 1..wanted-1 at VMPL0, and waits for none of them: all memory that one needs it has
 * before, and what it does for itself is nobody else's. It runs when the host runs it, and ends in
 * run_loop(), which looks for a guest first of all. A host that refuses is fatal.
 */
void boot_start_others(unsigned int wanted, struct page_owner *owner);

/*
 * Takes the memory that grows with the guest's, for the states of its pages, and starts them.
 * Before the services have theirs, of which not less than they may have must be left.
 */
void boot_take_memory(const struct socle_params *params, struct page_owner *owner);

/*
 * Prepares the guest and starts its first vCPU, at its first level: what is loaded granted, other
 * RAM validated, zeroed and granted unless the guest is firmware, which asks for it; its pages
 * filled, the promise of the host tried out where the image makes one (preempt.h), its VMSA known
 * to the host. After boot_take_memory(), and when the services are ready. grown is RAM that is not
 * the guest's, which its firmware is told.
 */
void boot_launch_guest(const struct socle_params *params, const struct socle_range *grown,
		       struct page_owner *owner);

#endif
