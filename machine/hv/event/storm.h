/* SPDX-License-Identifier: MIT */
/*
 * A storm of #HV, when mailbox.h asks for one: the host as enemy. A plane with restricted injection
 * and a doorbell page gets #HV at pseudo-random times, for nothing or for its own timer, in
 * whatever state it happens to be, once it has taken NoFurtherSignal away; the mailbox counts the
 * states. Some are bursts: up to STORM_BURST_MAX more follow, whatever the page says, each before
 * the handler of the last one has executed an instruction.
 */
#ifndef SOCLE_MACHINE_HV_EVENT_STORM_H
#define SOCLE_MACHINE_HV_EVENT_STORM_H

#include <stdbool.h>

#include "machine/hv/plane/vcpu.h"

#define STORM_BURST_MAX 16u

/*
 * When the current plane must be interrupted, in ticks of clock_now(), by a storm of its own or,
 * where the host preempts, of a more privileged one that waits; 0: it need not.
 */
uint64_t storm_deadline(const struct vcpu *v);

/* Whether the storm has something for a plane of v that sleeps. */
bool storm_awaits(const struct vcpu *v, const struct plane *p);

/* Whether that time has come; if so, the next one is chosen. */
bool storm_strikes(struct vcpu *v, uint64_t now);

/*
 * Writes to the current plane's doorbell page, if there is room, and counts. True: #HV must be
 * injected now. False, with nothing done, when the plane has another event to take first.
 */
bool storm_signal(struct vcpu *v, uint8_t timer_vector);

#endif
