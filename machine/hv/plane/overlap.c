/* SPDX-License-Identifier: MIT */
#include "machine/hv/plane/overlap.h"

#include "machine/hv/base/fault_plan.h"
#include "machine/hv/base/lapic.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/plane/vmsa.h"

/* A turn of VMPL0, in exits, so that a test does not hang on time; in time only without exits. */
#define TURN_EXITS 1000u
#define TURN_US 1000000u

struct overlap {
	unsigned int exits; /* that VMPL0 has in this turn yet */
	uint64_t until;	    /* end of the turn, of clock_now(); 0: nothing is parked */
	bool asked;	    /* the VMGEXIT that comes next had its occasion already */
};

static struct overlap overlaps[MACHINE_CPUS_MAX];

uint64_t overlap_deadline(const struct vcpu *v)
{
	return v->current == 0 ? overlaps[v->id].until : 0;
}

bool overlap_possible(const struct vcpu *v)
{
	const struct plane *p = &v->planes[0];
	bool sleeps = p->state == PLANE_WAITING || (p->state == PLANE_HALTED && !p->reset_hold);

	return v->current != 0 && sleeps && !p->loaded && !vmsa_refusal(p).what;
}

static void begin(struct vcpu *v)
{
	vcpu_park(v, 0);
	v->planes[0].state = PLANE_READY;
	overlaps[v->id].exits = TURN_EXITS;
	overlaps[v->id].until = clock_now() + lapic_clocks(TURN_US);
}

bool overlap_vmgexit(struct vcpu *v)
{
	struct overlap *o = &overlaps[v->id];

	if (o->asked || !fault_strikes(MAILBOX_FAULT_PLANES_AT_ONCE)) {
		o->asked = false;
		return false;
	}
	o->asked = true;
	begin(v);
	return true;
}

void overlap_interrupt(struct vcpu *v)
{
	if (overlap_possible(v) && fault_strikes(MAILBOX_FAULT_PLANES_AT_ONCE_INTERRUPT))
		begin(v);
}

/* The plane of v that is parked; 0: none is. */
static unsigned int parked(const struct vcpu *v)
{
	for (unsigned int vmpl = 1; vmpl < SNP_VMPL_COUNT; vmpl++) {
		if (v->planes[vmpl].parked)
			return vmpl;
	}
	return 0;
}

void overlap_turn(struct vcpu *v)
{
	struct overlap *o = &overlaps[v->id];
	unsigned int vmpl;

	if (o->until == 0 || v->current != 0)
		return;
	vmpl = parked(v);
	if (vmpl == 0 || v->planes[vmpl].state != PLANE_READY)
		o->until = 0;
	if (o->until == 0 || v->switch_to != VCPU_NO_SWITCH || v->planes[0].state != PLANE_READY)
		return;
	o->exits -= o->exits != 0;
	if (o->exits != 0 && clock_now() < o->until)
		return;
	o->until = 0;
	v->planes[0].state = PLANE_WAITING;
	vcpu_park(v, vmpl);
}
