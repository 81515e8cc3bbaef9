/* SPDX-License-Identifier: MIT */
/*
 * A script that makes races of two vCPUs happen on purpose (`--hold N`): the host stops running
 * one vCPU just before the N-th step that its VMPL0 takes, lets another vCPU do what it likes, and
 * goes on. A host may do so at any time; here a guest says when, by a port (mailbox.h).
 *
 * A step is a PVALIDATE, an RMPADJUST or a VMGEXIT of VMPL0. There is one script for the machine.
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_HOLD_H
#define SOCLE_MACHINE_HV_DEVICE_HOLD_H

#include "machine/hv/device/ports.h"

/*
 * The port (ports.h), one byte wide: enum machine_hold to read, enum machine_hold_command to write.
 */
bool hold_exists(void);
uint32_t hold_read(const struct port_access *a);
bool hold_write(struct port_access *a);

/*
 * The current plane of v is about to take a step. True: it is held. The caller leaves everything
 * as it is, RIP included, and the step comes again when the vCPU goes on.
 */
bool hold_strikes(struct vcpu *v);

/* The current plane of v enters the guest. */
void hold_enter(const struct vcpu *v);

/* While v is held, waits, with the big lock dropped. */
void hold_wait(struct vcpu *v);

#endif
