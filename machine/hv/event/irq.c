/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/irq.h"

#include "abi/ghcb.h"
#include "machine/hv/base/fault_plan.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/port.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/doorbell.h"
#include "machine/hv/event/ioapic.h"
#include "machine/hv/event/storm.h"
#include "machine/hv/plane/overlap.h"

#define PHYSICAL_IOAPIC 0xfec00000ull
#define TIMER_DIVIDE_BY_1 0xbu
/* Physical ticks: no guest timer starves the machine, and none fires before its time. */
#define TIMER_MIN 20000u
#define TIMER_LATE 2000u
#define CALIBRATION_TICKS 2000000u
#define RETRY_MICROSECONDS 20u
#define APIC_TICKS_PER_MICROSECOND 1000u /* QEMU's and KVM's local APICs count nanoseconds */
#define SHADOW_PATIENCE 8u
#define NO_RIP (~0ull)
#define BROADCAST 0xffffffffu
#define FAULT_DELAY_US 20000u

struct plane_apic {
	struct apic apic;
	uint64_t extint[4]; /* vectors taken from the 8259s and not injected yet */
	uint32_t v_tpr;	    /* what the VMCB's V_TPR was set to */
	unsigned int shadow_held;
	bool reset_hold; /* AP reset hold: only SIPI ends it */
	bool restricted; /* what the plane was when its APIC started */
	struct {	 /* timer events that a hostile host (fault.h) has still to deliver */
		uint64_t late_at;     /* when a delayed one comes; 0: none is */
		uint8_t late_vector;  /* its vector */
		uint8_t again_vector; /* comes when it has been taken once; 0: none */
	} fault;
};

/* What this CPU's physical timer is set to. */
struct physical_timer {
	uint64_t deadline; /* 0: not set */
};

static struct plane_apic apics[MACHINE_CPUS_MAX][SNP_VMPL_COUNT];
static struct physical_timer timers[MACHINE_CPUS_MAX];
static struct ioapic ioapic;
static uint64_t ticks_per_clock; /* physical timer ticks for each clock tick, 32.32 */

/* Physical IOAPIC. */

static void physical_write(uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)(PHYSICAL_IOAPIC + IOAPIC_MMIO_INDEX) = reg;
	*(volatile uint32_t *)(PHYSICAL_IOAPIC + IOAPIC_MMIO_DATA) = value;
}

/* Makes the physical entry what the guest's entry asks for; masked first, so it is never half. */
static void update_pin(unsigned int n, unsigned int cpu)
{
	const struct ioapic_pin *pin = &ioapic.pins[n];
	uint32_t reg = IOAPIC_REG_ENTRY + 2 * n;
	uint32_t entry = (IRQ_VECTOR_PIN_BASE + n) |
			 (uint32_t)(pin->entry & (IOAPIC_ENTRY_LOW_ACTIVE | IOAPIC_ENTRY_LEVEL));

	physical_write(reg, entry | (uint32_t)IOAPIC_ENTRY_MASKED);
	physical_write(reg + 1, vcpu_cpu(cpu) << 24);
	if (ioapic_pin_open(pin))
		physical_write(reg, entry);
}

/* Planes. */

static struct plane *plane_at(unsigned int cpu, unsigned int vmpl)
{
	struct vcpu *v = vcpu_by_apic_id(cpu);

	return v == NULL ? NULL : &v->planes[vmpl];
}

static bool is_restricted(const struct plane *p)
{
	return p->sev_features & SNP_FEATURE_RESTRICTED_INJECTION;
}

static void apic_start(struct vcpu *v, struct plane *p)
{
	struct plane_apic *a = &apics[v->id][p->vmpl];
	bool restricted = is_restricted(p);

	*a = (struct plane_apic){ .restricted = restricted };
	apic_reset(&a->apic, v->id, v->id == 0, restricted);
	p->apic = a;
	p->nmi_blocked = false;
	p->blocked_rip = NO_RIP;
}

uint64_t irq_clocks(uint64_t us)
{
	return (us * APIC_TICKS_PER_MICROSECOND << 32) / ticks_per_clock;
}

/* The timer of a VMPL0 is due: a hostile host may lose the event, delay it, or repeat it. */
static void timer_event(struct plane_apic *a, uint64_t now)
{
	uint32_t lvt = a->apic.lvt[APIC_LVT_TIMER];
	bool lost = fault_strikes(MAILBOX_FAULT_TIMER_LOSE);
	bool late = fault_strikes(MAILBOX_FAULT_TIMER_DELAY);
	bool again = fault_strikes(MAILBOX_FAULT_TIMER_REPEAT);

	if (late) {
		a->fault.late_at = now + irq_clocks(FAULT_DELAY_US);
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

/* Lets the timer of a plane run up to now. */
static void timer_advance(struct plane *p, uint64_t now)
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

static void sync_tpr(struct plane *p)
{
	uint32_t v_tpr = p->vmcb->int_control & VMCB_INT_V_TPR_MASK;

	if (v_tpr == p->apic->v_tpr)
		return;
	p->apic->v_tpr = v_tpr;
	p->apic->apic.tpr = (v_tpr & 0xf) << 4;
}

struct apic *irq_apic(struct plane *p)
{
	sync_tpr(p);
	timer_advance(p, clock_now());
	return &p->apic->apic;
}

void irq_plane_reset(struct vcpu *v, struct plane *p)
{
	apic_start(v, p);
}

void irq_plane_hold(struct plane *p)
{
	p->apic->reset_hold = true;
}

bool irq_plane_in_hold(const struct plane *p)
{
	return p->apic->reset_hold;
}

/*
 * Physical timer: runs for the current plane and for more privileged ones, which may preempt it.
 * Timers of less privileged planes are looked at when those run.
 */

static void timer_set(struct vcpu *v, uint64_t deadline, uint64_t now)
{
	struct physical_timer *t = &timers[v->id];
	unsigned __int128 ticks;

	if (deadline == t->deadline)
		return;
	t->deadline = deadline;
	if (deadline == 0) {
		x86_lapic_write(APIC_REG_TIMER_INITIAL, 0);
		return;
	}
	ticks = deadline <= now ? 0 : (unsigned __int128)(deadline - now) * ticks_per_clock >> 32;
	ticks += TIMER_LATE + (ticks >> 10); /* the two clocks are not that exact to each other */
	if (ticks < TIMER_MIN)
		ticks = TIMER_MIN;
	if (ticks > 0xffffffff)
		ticks = 0xffffffff; /* fires early and is set again */
	x86_lapic_write(APIC_REG_TIMER_INITIAL, (uint32_t)ticks);
}

/* 0 stands for no deadline. */
static uint64_t earlier(uint64_t a, uint64_t b)
{
	return b != 0 && (a == 0 || b < a) ? b : a;
}

static void timer_rearm(struct vcpu *v)
{
	uint64_t now = clock_now(), first = earlier(storm_deadline(v), overlap_deadline(v));

	for (unsigned int vmpl = 0; vmpl <= v->current; vmpl++) {
		struct plane_apic *a = v->planes[vmpl].apic;

		timer_advance(&v->planes[vmpl], now);
		first = earlier(first, a->apic.timer_deadline);
		first = earlier(first, a->fault.late_at);
	}
	timer_set(v, first, now);
}

/* Comes back soon: there is something to inject that cannot be injected right now. */
static void retry_soon(struct vcpu *v)
{
	uint64_t now = clock_now();
	uint64_t soon = now + irq_clocks(RETRY_MICROSECONDS);
	uint64_t armed = timers[v->id].deadline;

	if (armed == 0 || armed > soon)
		timer_set(v, soon, now);
}

/* 8259: reaches this CPU only while the guest's LINT0 lets it. */
static void update_lint0(const struct apic *a)
{
	uint32_t lvt = a->lvt[APIC_LVT_LINT0];
	bool open = !(lvt & APIC_LVT_MASKED) &&
		    (lvt >> APIC_LVT_MODE_SHIFT & 7) == APIC_MODE_EXTINT;

	x86_lapic_write(APIC_REG_LVT_LINT0,
			APIC_MODE_EXTINT << APIC_LVT_MODE_SHIFT | (open ? 0 : APIC_LVT_MASKED));
}

/* Routing. */

/* Gives an interrupt to one plane's APIC and makes its vCPU look. */
static void deliver(struct vcpu *v, struct plane *p, enum apic_mode mode, uint8_t vector,
		    bool level)
{
	if (mode == APIC_MODE_NMI)
		p->apic->apic.nmi_pending = true;
	else
		apic_accept(&p->apic->apic, vector, level);
	if (v != vcpu_self())
		vcpu_kick(v);
}

/* Returns whether any APIC of that VMPL was a destination. */
static bool route(unsigned int vmpl, uint32_t destination, bool logical, enum apic_mode mode,
		  uint8_t vector, bool level)
{
	bool found = false;

	for (unsigned int cpu = 0; cpu < vcpu_count(); cpu++) {
		struct plane *p = plane_at(cpu, vmpl);

		if (p == NULL || p->apic == NULL ||
		    !apic_is_destination(&p->apic->apic, destination, logical))
			continue;
		deliver(vcpu_by_apic_id(cpu), p, mode, vector, level);
		found = true;
		if (mode == APIC_MODE_LOWEST)
			break;
	}
	return found;
}

static void pin_interrupt(struct vcpu *v, unsigned int n)
{
	struct ioapic_pin *pin = &ioapic.pins[n];
	uint64_t entry = pin->entry;
	uint32_t destination = (uint32_t)(entry >> IOAPIC_ENTRY_DESTINATION_SHIFT);
	bool level = entry & IOAPIC_ENTRY_LEVEL;

	if (level) {
		pin->in_service = true;
		update_pin(n, v->id);
	}
	if (destination == 0xff)
		destination = BROADCAST;
	route(pin->vmpl, destination, entry & IOAPIC_ENTRY_LOGICAL,
	      entry >> IOAPIC_ENTRY_MODE_SHIFT & 7, (uint8_t)entry, level);
}

/* The plane of this vCPU that a device message is for: the least privileged one there is. */
static struct plane *message_plane(struct vcpu *v)
{
	for (unsigned int vmpl = SNP_VMPL_COUNT; vmpl-- > 0;) {
		if (v->planes[vmpl].state != PLANE_NONE)
			return &v->planes[vmpl];
	}
	return vcpu_plane(v);
}

static void extint_interrupt(struct vcpu *v, unsigned int vector)
{
	message_plane(v)->apic->extint[vector / 64] |= 1ull << vector % 64;
}

static void route_physical(struct vcpu *v, unsigned int vector)
{
	bool from_apic = x86_lapic_read(APIC_REG_ISR + (vector / 32 << 4)) >> vector % 32 & 1;

	if (vector == IRQ_VECTOR_SPURIOUS)
		return;
	if (!from_apic) {
		extint_interrupt(v, vector);
		return;
	}
	if (vector == IRQ_VECTOR_TIMER)
		timers[v->id].deadline = 0;
	else if (vector >= IRQ_VECTOR_PIN_BASE && vector < IRQ_VECTOR_PIN_BASE + IOAPIC_PINS)
		pin_interrupt(v, vector - IRQ_VECTOR_PIN_BASE);
	else
		deliver(v, message_plane(v), APIC_MODE_FIXED, (uint8_t)vector, false);
	x86_lapic_write(APIC_REG_EOI, 0);
}

void irq_host_interrupt(struct vcpu *v)
{
	vcpu_take_interrupts(v);
	/* From the highest on: an EOI ends the highest interrupt in service. */
	for (unsigned int word = 4; word-- > 0;) {
		while (v->taken[word] != 0) {
			unsigned int bit = 63u - (unsigned int)__builtin_clzll(v->taken[word]);

			v->taken[word] &= ~(1ull << bit);
			route_physical(v, 64 * word + bit);
		}
	}
	timer_rearm(v);
}

/* IPIs. */

static bool is_target(const struct apic_ipi *ipi, const struct vcpu *from, const struct vcpu *to,
		      const struct apic *a)
{
	switch (ipi->shorthand) {
	case APIC_TO_SELF:
		return to == from;
	case APIC_TO_ALL:
		return true;
	case APIC_TO_OTHERS:
		return to != from;
	default:
		return apic_is_destination(a, ipi->destination, ipi->logical);
	}
}

/*
 * INIT and SIPI never set registers of an SNP guest: INIT starts a vCPU that was created to start
 * on it, SIPI ends an AP reset hold (GHCB specification, "SNP AP Creation", "AP Reset Hold").
 */
static void ipi_to(struct vcpu *to, struct plane *p, const struct apic_ipi *ipi)
{
	switch (ipi->mode) {
	case APIC_MODE_FIXED:
	case APIC_MODE_LOWEST:
	case APIC_MODE_NMI:
		deliver(to, p, ipi->mode, ipi->vector, false);
		return;
	case APIC_MODE_INIT:
		if (!ipi->deassert)
			vcpu_init_signal(to, p->vmpl);
		return;
	case APIC_MODE_STARTUP:
		if (p->apic->reset_hold) {
			p->apic->reset_hold = false;
			plane_wake(to, p);
		}
		return;
	default:
		return;
	}
}

static void send_ipi(struct vcpu *from, unsigned int vmpl, const struct apic_ipi *ipi)
{
	for (unsigned int cpu = 0; cpu < vcpu_count(); cpu++) {
		struct vcpu *to = vcpu_by_apic_id(cpu);
		struct plane *p = plane_at(cpu, vmpl);

		if (p == NULL || p->apic == NULL || !is_target(ipi, from, to, &p->apic->apic))
			continue;
		ipi_to(to, p, ipi);
		if (ipi->mode == APIC_MODE_LOWEST)
			return;
	}
}

/* A level interrupt with that vector is done: its pins may fire again. */
static void end_level(struct vcpu *v, unsigned int vmpl, uint8_t vector)
{
	for (unsigned int n = 0; n < IOAPIC_PINS; n++) {
		struct ioapic_pin *pin = &ioapic.pins[n];

		if (!pin->in_service || pin->vmpl != vmpl || (uint8_t)pin->entry != vector)
			continue;
		pin->in_service = false;
		update_pin(n, v->id);
	}
}

void irq_apic_effects(struct vcpu *v, struct plane *p, const struct apic_effects *e)
{
	if (e->ipi.valid)
		send_ipi(v, p->vmpl, &e->ipi);
	if (e->eoi)
		end_level(v, p->vmpl, e->eoi_vector);
	if (e->timer)
		timer_rearm(v);
	if (e->lint0)
		update_lint0(&p->apic->apic);
}

void irq_nmi_complete(struct vcpu *v)
{
	vcpu_plane(v)->nmi_blocked = false;
}

/* IOAPIC as MMIO. */

uint32_t irq_ioapic_read(struct vcpu *v, uint32_t offset)
{
	(void)v;
	if (offset == IOAPIC_MMIO_INDEX)
		return ioapic.index;
	return offset == IOAPIC_MMIO_DATA ? ioapic_read(&ioapic) : 0;
}

/* The CPU that serves a pin: that of the first destination, so that no kick is needed. */
static unsigned int pin_cpu(const struct ioapic_pin *pin)
{
	uint32_t destination = (uint32_t)(pin->entry >> IOAPIC_ENTRY_DESTINATION_SHIFT);
	bool logical = pin->entry & IOAPIC_ENTRY_LOGICAL;

	for (unsigned int cpu = 0; cpu < vcpu_count(); cpu++) {
		struct plane *p = plane_at(cpu, pin->vmpl);

		if (p != NULL && p->apic != NULL &&
		    apic_is_destination(&p->apic->apic, destination, logical))
			return cpu;
	}
	return 0;
}

void irq_ioapic_write(struct vcpu *v, uint32_t offset, uint32_t value)
{
	int pin;

	switch (offset) {
	case IOAPIC_MMIO_INDEX:
		ioapic.index = value & 0xff;
		return;
	case IOAPIC_MMIO_DATA:
		pin = ioapic_write(&ioapic, value, v->current);
		if (pin >= 0)
			update_pin((unsigned int)pin, pin_cpu(&ioapic.pins[pin]));
		return;
	case IOAPIC_MMIO_EOI:
		end_level(v, v->current, (uint8_t)value);
		return;
	default:
		return;
	}
}

/* Injection. */

static int extint_vector(const struct plane_apic *a)
{
	for (unsigned int word = 0; word < 4; word++) {
		if (a->extint[word] != 0)
			return (int)(64 * word) + __builtin_ctzll(a->extint[word]);
	}
	return -1;
}

static bool maskable_pending(const struct plane_apic *a)
{
	return extint_vector(a) >= 0 || apic_pending(&a->apic) >= 0;
}

/*
 * QEMU before 10.0 does not load the interrupt shadow at VMRUN, so an interrupt could come between
 * STI and HLT. Where an exit left a shadow, injection waits until the guest has moved on; not for
 * ever, as it may jump to itself.
 */
static bool in_shadow(struct plane *p)
{
	struct vmcb *b = p->vmcb;

	if (b->int_state & VMCB_INT_STATE_SHADOW) {
		if (p->blocked_rip != b->rip)
			p->apic->shadow_held = 0;
		p->blocked_rip = b->rip;
	} else if (p->blocked_rip != b->rip) {
		p->blocked_rip = NO_RIP;
		return false;
	}
	return p->apic->shadow_held++ < SHADOW_PATIENCE;
}

static void window_close(struct vmcb *b)
{
	b->intercept_1 &= ~VMCB_INTERCEPT1_VINTR;
	b->int_control &= ~VMCB_INT_V_IRQ;
}

/*
 * An exit as soon as IF lets the guest take interrupts, and V_TPR if a vector (not -1) waits for
 * it.
 */
static void window_open(struct vmcb *b, int held_vector)
{
	uint32_t when = VMCB_INT_V_IGNORE_TPR;

	if (held_vector >= 0)
		when = (uint32_t)held_vector >> 4 << VMCB_INT_V_PRIO_SHIFT;
	b->intercept_1 |= VMCB_INTERCEPT1_VINTR;
	b->int_vector = 0; /* nobody sees it: the exit comes first */
	b->int_control &= ~(0xfu << VMCB_INT_V_PRIO_SHIFT | VMCB_INT_V_IGNORE_TPR);
	b->int_control |= VMCB_INT_V_IRQ | when;
}

static void inject(struct vmcb *b, uint32_t event)
{
	b->event_inj = event | SVM_EVENT_VALID;
	b->event_error = 0;
}

static void inject_maskable(struct plane_apic *a, struct vmcb *b)
{
	int vector = extint_vector(a);

	if (vector >= 0) {
		a->extint[vector / 64] &= ~(1ull << vector % 64);
	} else {
		vector = apic_pending(&a->apic);
		apic_acknowledge(&a->apic, (uint8_t)vector);
	}
	inject(b, (uint32_t)vector | SVM_EVENT_TYPE_INTR);
}

/* Injects what can be injected now. */
static void inject_now(struct plane *p)
{
	struct plane_apic *a = p->apic;
	struct vmcb *b = p->vmcb;

	if (a->apic.nmi_pending && !p->nmi_blocked) {
		a->apic.nmi_pending = false;
		p->nmi_blocked = true;
		inject(b, X86_VECTOR_NMI | SVM_EVENT_TYPE_NMI);
	} else if ((b->rflags & X86_RFLAGS_IF) && maskable_pending(a)) {
		inject_maskable(a, b);
	}
}

static void prepare_open_plane(struct vcpu *v, struct plane *p)
{
	struct plane_apic *a = p->apic;
	struct vmcb *b = p->vmcb;
	bool nmi = a->apic.nmi_pending && !p->nmi_blocked;
	int held = apic_held_by_tpr(&a->apic);

	window_close(b);
	if (!nmi && !maskable_pending(a) && held < 0)
		return;
	if (in_shadow(p) || (nmi && (b->event_inj & SVM_EVENT_VALID))) {
		retry_soon(v);
		return;
	}
	if (!(b->event_inj & SVM_EVENT_VALID))
		inject_now(p);
	/* What is left waits for IF, for another event to be through, or for a lower priority. */
	if (maskable_pending(a))
		window_open(b, -1);
	else if (held >= 0)
		window_open(b, held);
}

static void prepare_restricted_plane(struct vcpu *v, struct plane *p)
{
	struct apic *a = &p->apic->apic;
	struct doorbell_event event = { .vector = apic_pending(a), .nmi = a->nmi_pending };
	bool can_signal = !(p->vmcb->event_inj & SVM_EVENT_VALID);

	window_close(p->vmcb);
	if (event.vector < 0 && !event.nmi)
		return;
	switch (doorbell_post(p, event, can_signal)) {
	case DOORBELL_FULL:
		/* Taken again at the next exit, which the guest makes when it has looked. */
		if (!can_signal)
			retry_soon(v);
		return;
	case DOORBELL_SIGNAL:
		inject(p->vmcb, X86_VECTOR_HV | SVM_EVENT_TYPE_EXCEPTION);
		break;
	case DOORBELL_POSTED:
		break;
	}
	if (event.vector >= 0)
		apic_acknowledge(a, (uint8_t)event.vector);
	a->nmi_pending = false;
}

void irq_before_run(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);
	bool storming;

	/* The features of a launch VMSA are known when it is loaded, which is after our start. */
	if (p->apic->restricted != is_restricted(p))
		apic_start(v, p);
	sync_tpr(p);
	storming = is_restricted(p) && storm_strikes(v, clock_now());
	timer_rearm(v);
	if (is_restricted(p))
		prepare_restricted_plane(v, p);
	else
		prepare_open_plane(v, p);
	if (storming && storm_signal(v, (uint8_t)p->apic->apic.lvt[APIC_LVT_TIMER]))
		inject(p->vmcb, X86_VECTOR_HV | SVM_EVENT_TYPE_EXCEPTION);
	p->apic->v_tpr = p->apic->apic.tpr >> 4;
	p->vmcb->int_control = (p->vmcb->int_control & ~VMCB_INT_V_TPR_MASK) | p->apic->v_tpr;
}

bool irq_pending(struct vcpu *v, struct plane *p)
{
	struct plane_apic *a = p->apic;

	(void)v;
	if (a->reset_hold)
		return false;
	timer_advance(p, clock_now());
	if (a->apic.nmi_pending && !p->nmi_blocked)
		return true;
	if (is_restricted(p))
		return apic_pending(&a->apic) >= 0;
	return (p->vmcb->rflags & X86_RFLAGS_IF) && maskable_pending(a);
}

/* Set-up. */

/* Both clocks run for a while; their ratio is what matters, not their rates. */
static uint64_t calibrate(void)
{
	uint64_t start, end;
	uint32_t count;

	x86_lapic_write(APIC_REG_TIMER_INITIAL, 0xffffffff);
	start = clock_now();
	do {
		count = x86_lapic_read(APIC_REG_TIMER_CURRENT);
		end = clock_now();
	} while (0xffffffff - count < CALIBRATION_TICKS);
	x86_lapic_write(APIC_REG_TIMER_INITIAL, 0);
	return ((uint64_t)(0xffffffff - count) << 32) / (end - start);
}

static void physical_apic_init(void)
{
	x86_lapic_write(APIC_REG_SVR, APIC_SVR_ENABLE | IRQ_VECTOR_SPURIOUS);
	x86_lapic_write(APIC_REG_TPR, 0);
	x86_lapic_write(APIC_REG_LVT_LINT0, APIC_LVT_MASKED);
	x86_lapic_write(APIC_REG_LVT_LINT1, APIC_LVT_MASKED);
	x86_lapic_write(APIC_REG_LVT_ERROR, APIC_LVT_MASKED);
	x86_lapic_write(APIC_REG_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
	x86_lapic_write(APIC_REG_LVT_TIMER, IRQ_VECTOR_TIMER);
}

void irq_init(void)
{
	physical_apic_init();
	ticks_per_clock = calibrate();
	storm_init(irq_clocks(1));
	ioapic_reset(&ioapic);
	for (unsigned int n = 0; n < IOAPIC_PINS; n++)
		update_pin(n, 0);
}

void irq_init_cpu(struct vcpu *v)
{
	physical_apic_init();
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
		apic_start(v, &v->planes[vmpl]);
}
