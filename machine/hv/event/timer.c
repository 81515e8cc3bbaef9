/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/timer.h"

#include "machine/hv/base/fault_plan.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/local_apic.h"
#include "machine/hv/event/storm.h"
#include "machine/hv/event/sweep.h"
#include "machine/hv/plane/overlap.h"

#define RETRY_MICROSECONDS 20u
#define FAULT_DELAY_US 20000u

static uint64_t deadlines[MACHINE_CPUS_MAX]; /* of each CPU; 0: its timer is not set */

/* The timer of a VMPL0 is due: a hostile host may lose the event, delay it, or repeat it. */
static void timer_event(struct plane_apic *a, uint64_t now)
{
	uint32_t lvt = a->apic.lvt[APIC_LVT_TIMER];
	bool lost = fault_strikes(MAILBOX_FAULT_TIMER_LOSE);
	bool late = fault_strikes(MAILBOX_FAULT_TIMER_DELAY);
	bool again = fault_strikes(MAILBOX_FAULT_TIMER_REPEAT);

	if (late) {
		a->fault.late_at = now + lapic_clocks(FAULT_DELAY_US);
		a->fault.late_vector = (uint8_t)lvt;
	}
	if (again)
		a->fault.again_vector = (uint8_t)lvt;
	/* A masked timer runs on and raises nothing. */
	if (lost || late)
		a->apic.lvt[APIC_LVT_TIMER] |= APIC_LVT_MASKED;
	apic_timer_advance(&a->apic, now);
	a->apic.lvt[APIC_LVT_TIMER] = lvt;
}

static bool is_requested(const struct apic *a, uint8_t vector)
{
	return a->irr[vector / 32] >> vector % 32 & 1;
}

static void timer_faults(struct plane_apic *a, uint64_t now)
{
	uint8_t again = a->fault.again_vector;

	if (a->fault.late_at != 0 && now >= a->fault.late_at) {
		a->fault.late_at = 0;
		apic_accept(&a->apic, a->fault.late_vector, false);
	}
	if (again != 0 && !is_requested(&a->apic, again)) {
		a->fault.again_vector = 0;
		apic_accept(&a->apic, again, false);
	}
}

void timer_advance(struct plane *p, uint64_t now)
{
	struct plane_apic *a = p->apic;
	bool due = a->apic.timer_deadline != 0 && now >= a->apic.timer_deadline;

	if (p->vmpl == 0)
		timer_faults(a, now);
	if (p->vmpl == 0 && due && !(a->apic.lvt[APIC_LVT_TIMER] & APIC_LVT_MASKED))
		timer_event(a, now);
	else
		apic_timer_advance(&a->apic, now);
}

static void set(struct vcpu *v, uint64_t deadline, uint64_t now)
{
	if (deadline == deadlines[v->id])
		return;
	deadlines[v->id] = deadline;
	if (deadline == 0)
		lapic_timer_stop();
	else
		lapic_timer_start(deadline <= now ? 0 : deadline - now);
}

/* 0 stands for no deadline. */
static uint64_t earlier(uint64_t a, uint64_t b)
{
	return b != 0 && (a == 0 || b < a) ? b : a;
}

static bool is_looked_at(const struct vcpu *v, const struct plane *p)
{
	return p->vmpl <= v->current || p->state == PLANE_HALTED;
}

void timer_rearm(struct vcpu *v)
{
	uint64_t now = clock_now(), first = earlier(storm_deadline(v), overlap_deadline(v));

	first = earlier(first, sweep_deadline(v, now));
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
		struct plane_apic *a = v->planes[vmpl].apic;

		if (!is_looked_at(v, &v->planes[vmpl]))
			continue;
		timer_advance(&v->planes[vmpl], now);
		first = earlier(first, a->apic.timer_deadline);
		first = earlier(first, a->fault.late_at);
	}
	set(v, first, now);
}

void timer_retry_soon(struct vcpu *v, unsigned int tries)
{
	uint64_t now = clock_now();
	uint64_t soon = now + lapic_clocks(RETRY_MICROSECONDS << tries);
	uint64_t armed = deadlines[v->id];

	if (armed == 0 || armed > soon)
		set(v, soon, now);
}

void timer_fired(struct vcpu *v)
{
	deadlines[v->id] = 0;
}
