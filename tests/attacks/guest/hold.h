/* SPDX-License-Identifier: MIT */
/*
 * Races on purpose, by a script of the SNP machine alone (docs/machine-limits.md): with `--hold N`
 * it stops a CPU before the N-th RMPADJUST, PVALIDATE or VMGEXIT of its VMPL0.
 */
#ifndef SOCLE_TESTS_ATTACKS_HOLD_H
#define SOCLE_TESTS_ATTACKS_HOLD_H

#include "tests/attacks/guest/attack.h"

#define HOLD_PORT 0xeau

enum {
	HOLD_NOT_ARMED,
	HOLD_COUNTING,
	HOLD_HELD,
	HOLD_OVER, /* it went on, or its call ended before the N-th step */
};

/* From now on the steps of this CPU's VMPL0 count. */
static inline void hold_arm(void)
{
	ghcb_out8(HOLD_PORT, 1);
}

static inline uint8_t hold_state(void)
{
	return ghcb_in8(HOLD_PORT);
}

/* On another CPU than the one that is held. */
static inline void hold_go_on(void)
{
	ghcb_out8(HOLD_PORT, 2);
}

/* Waits, on another CPU, until the one that armed it is held or has ended its call. */
static inline void hold_wait(void)
{
	uint8_t state;

	do {
		cpu_relax();
		state = hold_state();
	} while (state != HOLD_HELD && state != HOLD_OVER);
}

#endif
