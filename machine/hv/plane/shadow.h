/* SPDX-License-Identifier: MIT */
/*
 * The interrupt shadow of STI and MOV SS (APM volume 2, 15.21.5): no interrupt comes before the
 * instruction behind them is through. QEMU before 10.0 tells of a shadow at an exit, and does not
 * load it at VMRUN, so an interrupt could come between STI and HLT, which then would not end. So a
 * RIP at which an exit left a shadow is kept, until the guest has moved on.
 */
#ifndef SOCLE_MACHINE_HV_PLANE_SHADOW_H
#define SOCLE_MACHINE_HV_PLANE_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

struct shadow {
	uint64_t rip;	   /* where one was seen, or SHADOW_NOWHERE */
	unsigned int held; /* how often an event has waited for that */
};

#define SHADOW_NOWHERE (~0ull)

void shadow_reset(struct shadow *s);

/*
 * Before each VMRUN, whether or not an event waits: one may become due at the next exit, and that
 * may come before the guest has moved on, without a shadow that it would tell of.
 */
void shadow_see(struct shadow *s, uint64_t rip, bool told);

/* Whether an event that waits goes on waiting; not for ever, as code may jump to itself. */
bool shadow_holds(struct shadow *s);

#endif
