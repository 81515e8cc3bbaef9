/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/hold.h"

#include "machine/hv/base/lapic.h"
#include "machine/hv/base/lock.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"

#define PATIENCE_US 3000000u
#define PAUSES_UNLOCKED 100u

static struct {
	enum machine_hold state;
	const struct vcpu *v; /* that is counted or held */
	uint32_t steps;	      /* counted so far */
	bool at_vmpl0;	      /* it has been there since it was armed */
	uint64_t until;	      /* of clock_now(): when the host loses its patience */
} hold;

bool hold_exists(void)
{
	return hv_mailbox()->hold != 0;
}

uint32_t hold_read(const struct port_access *a)
{
	(void)a;
	return hold.state;
}

static void arm(const struct vcpu *v)
{
	hold.state = MACHINE_HOLD_COUNTING;
	hold.v = v;
	hold.steps = 0;
	hold.at_vmpl0 = v->current == 0;
}

bool hold_write(struct port_access *a)
{
	if (a->value == MACHINE_HOLD_ARM && hold.state != MACHINE_HOLD_HELD)
		arm(a->v);
	if (a->value == MACHINE_HOLD_GO_ON && hold.state == MACHINE_HOLD_HELD && a->v != hold.v)
		hold.state = MACHINE_HOLD_OVER;
	return false;
}

bool hold_strikes(struct vcpu *v)
{
	if (hold.state != MACHINE_HOLD_COUNTING || v != hold.v || v->current != 0)
		return false;
	if (++hold.steps < hv_mailbox()->hold)
		return false;
	hold.state = MACHINE_HOLD_HELD;
	hold.until = clock_now() + lapic_clocks(PATIENCE_US);
	return true;
}

void hold_enter(const struct vcpu *v)
{
	if (hold.state != MACHINE_HOLD_COUNTING || v != hold.v)
		return;
	if (v->current == 0)
		hold.at_vmpl0 = true;
	else if (hold.at_vmpl0)
		hold.state = MACHINE_HOLD_OVER;
}

static void pause_unlocked(void)
{
	hv_unlock();
	for (unsigned int i = 0; i < PAUSES_UNLOCKED; i++)
		x86_pause();
	hv_lock();
}

void hold_wait(struct vcpu *v)
{
	while (hold.state == MACHINE_HOLD_HELD && v == hold.v) {
		if (clock_now() >= hold.until) {
			hv_log("nobody lets vCPU %u go on: it does by itself", v->id);
			hold.state = MACHINE_HOLD_OVER;
		}
		pause_unlocked();
	}
}
