/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/sweep.h"

#include "machine/hv/base/lapic.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/local_apic.h"

struct sweep {
	uint64_t step;	   /* of the last one */
	uint64_t left;	   /* until it comes; 0: it has */
	uint64_t deadline; /* the same by the clock, while a level runs */
};

static struct sweep sweeps[MACHINE_CPUS_MAX];

void sweep_begin(struct vcpu *v)
{
	struct sweep *s = &sweeps[v->id];

	if (s->left == 0 && hv_mailbox()->every_us)
		s->left = lapic_clocks(hv_mailbox()->every_us);
	if (!hv_mailbox()->sweeps)
		return;
	if (s->left != 0) {
		hv_mailbox()->sweep.whole++;
		s->step = 0;
	}
	s->left = ++s->step;
}

uint64_t sweep_deadline(struct vcpu *v, uint64_t now)
{
	struct sweep *s = &sweeps[v->id];

	if (s->left == 0)
		return 0;
	s->deadline = now + s->left;
	return s->deadline;
}

static void look(struct vcpu *v, struct sweep *s)
{
	struct apic *apic = &v->planes[0].apic->apic;
	uint64_t now = clock_now();

	if (now < s->deadline) {
		s->left = s->deadline - now;
		return;
	}
	s->left = lapic_clocks(hv_mailbox()->every_us);
	hv_mailbox()->sweep.at[v->current]++;
	apic_accept(apic, (uint8_t)apic->lvt[APIC_LVT_TIMER], false);
}

void sweep_look(struct vcpu *v)
{
	struct sweep *s = &sweeps[v->id];

	if (s->left != 0)
		look(v, s);
}
