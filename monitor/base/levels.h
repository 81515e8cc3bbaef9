/* SPDX-License-Identifier: MIT */
/*
 * The privilege levels of the guest. The image says the first (abi/params.h): its first vCPU runs
 * there, and the pages that Socle gives to the guest have that level's rights. Any less privileged
 * level, of a higher number, is the first's to make, by CREATE_VCPU, and its rights are those that
 * the first gives it by RMPADJUST. No vCPU of the guest is ever at a level between its first and
 * Socle.
 */
#ifndef SOCLE_MONITOR_BASE_LEVELS_H
#define SOCLE_MONITOR_BASE_LEVELS_H

#include <stdbool.h>
#include <stdint.h>

#define VMPL0 0u /* Socle's own */

/*
 * Once, before the guest has anything: its first level, from 1 to 3, and SOCLE_LOWER_*, what the
 * less privileged ones may call. False, and nothing is done, for anything else.
 */
bool levels_init(unsigned int guest, uint32_t lower_calls);

/* The first level of the guest, as it was said; 2 until then. */
unsigned int guest_vmpl(void);

/* Whether vmpl is a level of the guest's that is less privileged than its first. */
bool level_is_lower(unsigned int vmpl);

/* Whether such a level may make the calls of one SOCLE_LOWER_*. */
bool level_lower_may(uint32_t calls);

/*
 * For RMPADJUST of a VMSA, which has to name a level and leaves that one, and no other, without
 * rights: a level other than VMPL0 and the guest's first, which may read the VMSAs that it has
 * made.
 */
unsigned int level_without_rights(void);

#endif
