/* SPDX-License-Identifier: MIT */
/* What the image says of the host is tried out (abi/params.h, SOCLE_FEATURE_PREEMPTS). */
#ifndef SOCLE_MONITOR_BOOT_PREEMPT_H
#define SOCLE_MONITOR_BOOT_PREEMPT_H

#include "monitor/base/addr.h"
#include "monitor/mem/alloc.h"

/*
 * Returns when the timer of VMPL0 has made it run while the guest's first level of this vCPU, the
 * first, ran; ends the VM where it does not. Before there is a guest, so that nothing of it is
 * asked or believed: what runs there is a program of ours that counts, and asks for VMPL0 at last.
 *
 * page is one of the guest's, below 4 GiB, all zero, with all rights for that level; it is so again
 * afterwards. The VMSA is the owner's for that time, and none when this returns: the host has to be
 * told of another one before the level can run.
 */
void preempt_try(gpa_t page, struct page_owner *owner);

#endif
