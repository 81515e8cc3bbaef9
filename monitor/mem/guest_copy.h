/* SPDX-License-Identifier: MIT */
/*
 * Copies between the monitor and buffers that the guest names. A buffer may start anywhere and
 * cross pages; each page is checked to be valid memory of the guest at the moment of its copy, for
 * the guest's other vCPUs run meanwhile. What was copied in is never read from the guest again.
 *
 * vmpl is the level of who names the buffer. A less privileged level of the guest has of its memory
 * what the first level gives it by RMPADJUST, and so Socle reads and writes for it what it could
 * read and write itself. The first level can take a right away at any moment; a copy that began
 * before that goes on, as a store of that level's own would that was on its way.
 */
#ifndef SOCLE_MONITOR_MEM_GUEST_COPY_H
#define SOCLE_MONITOR_MEM_GUEST_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/base/addr.h"

/*
 * True when all of [at, at + size) is valid memory of the guest now, on which vmpl has all of
 * rights, SNP_RMPADJUST_*. An empty range is none.
 */
bool guest_range_ok(unsigned int vmpl, gpa_t at, uint64_t size, uint64_t rights);

/*
 * Copy size bytes. False when a part of the range is not valid memory of the guest, or not for vmpl
 * to read or write, or faults: then to holds zeros, or a part may have been written to the guest.
 * Checks the whole range before the first byte moves. Takes the lock "guest pages" for each page.
 */
bool guest_copy_in(unsigned int vmpl, void *to, gpa_t from, size_t size);
bool guest_copy_out(unsigned int vmpl, gpa_t to, const void *from, size_t size);

#endif
