/* SPDX-License-Identifier: MIT */
/*
 * A level 2 with alternate injection, and the doorbell page by which VMPL0 learns of its
 * interrupts.
 */
#ifndef SOCLE_TESTS_MACHINE_ALTERNATE_H
#define SOCLE_TESTS_MACHINE_ALTERNATE_H

#include "tests/machine/guest/guest.h"

#define ALTERNATE_FEATURES 0x11ull
#define ALTERNATE_VECTOR 31u /* that VMPL0 configures; the image has a gate for it */

/* Doorbell page, APIC and configuration of VMPL0; level 2 known to the host. */
struct snp_vmsa *alternate_start(void);

/* Has level 2 do that, however often VMPL0 is called back. */
void alternate_step(void (*what)(void));

/* The shared page. */
volatile struct ghcb_doorbell *alternate_doorbell(void);

#endif
