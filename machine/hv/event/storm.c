/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/storm.h"

#include "core/image/host_model.h"
#include "machine/hv/base/lapic.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/doorbell.h"

#define BURSTS 8u /* one in so many is one */

struct storm {
	uint64_t deadline;  /* 0: not chosen */
	uint64_t random;    /* state of a xorshift generator; 0: not seeded */
	unsigned int burst; /* how many more come at once */
};

static struct storm storms[MACHINE_CPUS_MAX];

static bool is_target(const struct plane *p)
{
	return hv_mailbox()->storm_us != 0 && p->doorbell_gpa != 0 && plane_is_restricted(p);
}

static uint64_t draw(struct storm *s)
{
	if (s->random == 0)
		s->random = 0x9e3779b97f4a7c15ull * (uint64_t)(s - storms + 1);
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

/* From half the interval to one and a half: in step with nothing that the plane does. */
static void choose_deadline(struct storm *s, uint64_t now)
{
	uint64_t interval = lapic_clocks(hv_mailbox()->storm_us);

	s->deadline = now + interval / 2 + draw(s) % (interval + 1);
}

/*
 * Only VMPL0 has restricted injection and a doorbell page beside a VMPL that it can be called from.
 */
uint64_t storm_deadline(const struct vcpu *v)
{
	bool above = hv_mailbox()->host.preempt != HOST_PREEMPT_NO && is_target(&v->planes[0]);

	return is_target(&v->planes[v->current]) || above ? storms[v->id].deadline : 0;
}

bool storm_awaits(const struct vcpu *v, const struct plane *p)
{
	const struct storm *s = &storms[v->id];

	return p->vmpl == 0 && is_target(p) && s->deadline != 0 && clock_now() >= s->deadline;
}

bool storm_strikes(struct vcpu *v, uint64_t now)
{
	struct storm *s = &storms[v->id];
	bool strikes;

	if (!is_target(vcpu_plane(v)))
		return false;
	if (s->burst != 0)
		return true;
	strikes = s->deadline != 0 && now >= s->deadline;
	if (strikes || s->deadline == 0)
		choose_deadline(s, now);
	return strikes;
}

static void count(const struct vmcb *b, bool nested, bool timer)
{
	struct mailbox_storm *storm = &hv_mailbox()->storm;

	if (b->cpl == 3)
		storm->user++;
	else
		storm->kernel++;
	storm->nested += nested;
	storm->timer += timer;
}

/* The next one of a burst, or the first: an NMI of the host's own ends the run before it begins. */
static void go_on(struct vcpu *v, struct storm *s, bool nested)
{
	if (nested)
		s->burst--;
	else if (draw(s) % BURSTS == 0)
		s->burst = 1 + (unsigned int)(draw(s) % STORM_BURST_MAX);
	if (s->burst != 0)
		cpu_leave_soon(v->id);
}

bool storm_signal(struct vcpu *v, uint8_t timer_vector)
{
	struct plane *p = vcpu_plane(v);
	struct storm *s = &storms[v->id];
	bool timer = timer_vector != 0 && (draw(s) >> 63), nested = s->burst != 0;
	struct doorbell_event event = { .vector = timer ? timer_vector : -1 };
	enum doorbell_result posted;

	if (p->vmcb->event_inj & SVM_EVENT_VALID) {
		s->burst = 0;
		return false;
	}
	posted = doorbell_post(p, event, true);
	if (!nested && posted != DOORBELL_SIGNAL)
		return false;
	count(p->vmcb, nested, timer && posted != DOORBELL_FULL);
	go_on(v, s, nested);
	return true;
}
