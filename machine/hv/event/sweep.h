/* SPDX-License-Identifier: MIT */
/*
 * Events of VMPL0 in steps: each time that a less privileged level has asked for VMPL0, one comes
 * after one tick of clock_now() more than the last time, of those that go by while the vCPU's
 * levels run. When VMPL0 was asked for again before that, it has come everywhere, and begins anew.
 * Under QEMU's -icount, where a tick is an instruction, that is each instruction between two
 * requests. Or, all the same where, at equal distances of that time. mailbox.h counts them.
 */
#ifndef SOCLE_MACHINE_HV_EVENT_SWEEP_H
#define SOCLE_MACHINE_HV_EVENT_SWEEP_H

#include "machine/hv/plane/vcpu.h"

/* VMPL0 was asked for. */
void sweep_begin(struct vcpu *v);

/* When a timer has to end the run that comes now, in ticks of clock_now(); 0: it need not. */
uint64_t sweep_deadline(struct vcpu *v, uint64_t now);

/* After a run: raises the event if its time has come. */
void sweep_look(struct vcpu *v);

#endif
