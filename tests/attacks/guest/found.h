/* SPDX-License-Identifier: MIT */
/*
 * Socle's shared pages. A guest finds them by asking the host to write a byte from there to a port
 * that nobody has: from a private page the host cannot (56421, section 4, "invalid scratch area").
 */
#ifndef SOCLE_TESTS_ATTACKS_FOUND_H
#define SOCLE_TESTS_ATTACKS_FOUND_H

#include "tests/attacks/guest/attack.h"

#define FOUND_MAX 64u
#define FOUND_UNUSED_PORT 0x80u
#define FOUND_OUTSB_INFO ((uint64_t)FOUND_UNUSED_PORT << 16 | 0x21cu) /* REP OUTSB, 64-bit */

struct found {
	uint64_t ghcbs[FOUND_MAX], others[FOUND_MAX]; /* doorbell pages, and those for the AMD-SP */
	unsigned int ghcb_count, other_count;
};

bool found_shared(uint64_t gpa);
void found_look(struct found *found);

#endif
