/* SPDX-License-Identifier: MIT */
/*
 * A stale translation: a CPU of the guest writes to a page, so that it has a translation that may
 * write. Then CREATE_VCPU makes the page a VMSA. A CPU that still writes there raises the VMSA's
 * VMPL to 0, and has Socle's rights when the host runs it.
 *
 * PVALIDATE and RMPADJUST end no translation (APM volume 3), so Socle has to. Then the write is a
 * nested page fault, with which the host ends the VM: that is how the last rule of these programs
 * ends when it holds.
 */
#ifndef SOCLE_TESTS_ATTACKS_STALE_H
#define SOCLE_TESTS_ATTACKS_STALE_H

#include "tests/attacks/guest/lives.h"

/* The CPU that attacks: the last one. */
unsigned int stale_attacker(void);

/* A page at which the attacker can write, and does. */
uint64_t stale_page(void);

/* Has the page made a VMSA of CPU 1, and the attacker write VMPL 0 there. */
void stale_attack(uint64_t page);

#endif
