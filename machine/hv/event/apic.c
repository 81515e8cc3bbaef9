/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/apic.h"

#include <string.h>

#define APIC_VERSION 0x00050014u /* six LVT entries, as integrated local APICs have */
#define APIC_SVR_RESET 0xffu
#define APIC_SVR_WRITABLE 0x1ffu
#define APIC_LVT_WRITABLE (APIC_LVT_MASKED | (7u << APIC_LVT_MODE_SHIFT) | 0xffu)
#define APIC_LVT_LINT_EXTRA ((1u << 13) | (1u << 15)) /* polarity, trigger mode */
#define APIC_ICR_WRITABLE 0xcdfffu
#define APIC_ICR_RESERVED 0xfff32000u /* #GP in x2APIC mode (APM volume 2, 16.13), as KVM has it */
#define APIC_VECTOR_FIRST_LEGAL 16u
#define APIC_MSR_BASE 0x800u

static bool bit_get(const uint32_t *map, unsigned int n)
{
	return map[n / 32] >> (n % 32) & 1;
}

static void bit_set(uint32_t *map, unsigned int n)
{
	map[n / 32] |= 1u << (n % 32);
}

static void bit_clear(uint32_t *map, unsigned int n)
{
	map[n / 32] &= ~(1u << (n % 32));
}

static int bit_highest(const uint32_t *map)
{
	for (int i = 7; i >= 0; i--) {
		if (map[i] != 0)
			return 32 * i + 31 - __builtin_clz(map[i]);
	}
	return -1;
}

static bool is_x2apic(const struct apic *a)
{
	return a->base & APIC_BASE_X2APIC;
}

static bool software_enabled(const struct apic *a)
{
	return (a->base & APIC_BASE_ENABLE) && (a->svr & APIC_SVR_ENABLE);
}

/* The logical id of x2APIC mode is made of the id, and read-only. */
static uint32_t x2apic_ldr(uint32_t id)
{
	return (id & ~0xfu) << 12 | 1u << (id & 0xf);
}

/* Everything but identity and APIC_BASE. */
static void reset_registers(struct apic *a)
{
	uint32_t id = a->id;
	uint64_t base = a->base;

	memset(a, 0, sizeof(*a));
	a->id = id;
	a->base = base;
	a->dfr = 0xffffffff;
	a->svr = APIC_SVR_RESET;
	for (unsigned int i = 0; i < APIC_LVT_COUNT; i++)
		a->lvt[i] = APIC_LVT_MASKED;
	if (is_x2apic(a))
		a->ldr = x2apic_ldr(id);
}

void apic_reset(struct apic *a, uint32_t id, bool bsp, bool x2apic)
{
	a->id = id;
	a->base = APIC_MMIO_BASE | APIC_BASE_ENABLE | (bsp ? APIC_BASE_BSP : 0) |
		  (x2apic ? APIC_BASE_X2APIC : 0);
	reset_registers(a);
}

void apic_enable(struct apic *a)
{
	a->svr |= APIC_SVR_ENABLE;
}

bool apic_base_write(struct apic *a, uint64_t value)
{
	const uint64_t mode_mask = APIC_BASE_ENABLE | APIC_BASE_X2APIC;
	uint64_t from = a->base & mode_mask, to = value & mode_mask;

	if ((value & ~(mode_mask | APIC_BASE_BSP)) != APIC_MMIO_BASE)
		return false;
	if (to == APIC_BASE_X2APIC)
		return false;
	if (from == mode_mask && to == APIC_BASE_ENABLE)
		return false;
	if (from == 0 && to == mode_mask)
		return false;
	a->base = (a->base & ~mode_mask) | to;
	if (to == 0)
		reset_registers(a);
	else if (from != mode_mask && to == mode_mask)
		a->ldr = x2apic_ldr(a->id);
	return true;
}

static void request(struct apic *a, uint8_t vector, bool level)
{
	bit_set(a->irr, vector);
	if (level)
		bit_set(a->tmr, vector);
	else
		bit_clear(a->tmr, vector);
}

static void raise_error(struct apic *a, uint32_t bit)
{
	uint32_t lvt = a->lvt[APIC_LVT_ERROR];

	a->esr_new |= bit;
	if (software_enabled(a) && !(lvt & APIC_LVT_MASKED) &&
	    (lvt & 0xff) >= APIC_VECTOR_FIRST_LEGAL)
		request(a, lvt & 0xff, false);
}

void apic_accept(struct apic *a, uint8_t vector, bool level)
{
	if (!software_enabled(a))
		return;
	if (vector < APIC_VECTOR_FIRST_LEGAL)
		raise_error(a, APIC_ESR_RECEIVE_ILLEGAL);
	else
		request(a, vector, level);
}

static uint32_t processor_priority(const struct apic *a)
{
	int isr = bit_highest(a->isr);

	if (isr < 0 || a->tpr >> 4 >= (uint32_t)isr >> 4)
		return a->tpr;
	return (uint32_t)isr & 0xf0;
}

int apic_pending(const struct apic *a)
{
	int irr = bit_highest(a->irr);

	if (irr < 0 || (uint32_t)irr >> 4 <= processor_priority(a) >> 4)
		return -1;
	return irr;
}

void apic_acknowledge(struct apic *a, uint8_t vector)
{
	bit_clear(a->irr, vector);
	bit_set(a->isr, vector);
}

static void end_of_interrupt(struct apic *a, struct apic_effects *e)
{
	int vector = bit_highest(a->isr);

	if (vector < 0)
		return;
	bit_clear(a->isr, (unsigned int)vector);
	if (bit_get(a->tmr, (unsigned int)vector)) {
		e->eoi = true;
		e->eoi_vector = (uint8_t)vector;
	}
}

bool apic_serves_edge(const struct apic *a)
{
	int vector = bit_highest(a->isr);

	return vector >= 0 && !bit_get(a->tmr, (unsigned int)vector);
}

bool apic_ends_without_effect(const struct apic *a)
{
	return apic_serves_edge(a) && bit_highest(a->irr) < 0;
}

/* Divide configuration: 000 is 2, 001 is 4 ... 110 is 128, 111 is 1. */
static unsigned int timer_shift(const struct apic *a)
{
	unsigned int code = (a->timer_divide & 3) | (a->timer_divide >> 1 & 4);

	return (code + 1) & 7;
}

static uint64_t timer_period(const struct apic *a)
{
	return (uint64_t)a->timer_initial << timer_shift(a);
}

static void timer_load(struct apic *a, uint64_t now, struct apic_effects *e)
{
	a->timer_start = now;
	a->timer_deadline = a->timer_initial == 0 ? 0 : now + timer_period(a);
	e->timer = true;
}

void apic_timer_advance(struct apic *a, uint64_t now)
{
	uint32_t lvt = a->lvt[APIC_LVT_TIMER];
	uint64_t period = timer_period(a);

	if (a->timer_deadline == 0 || now < a->timer_deadline)
		return;
	if (!(lvt & APIC_LVT_MASKED))
		apic_accept(a, lvt & 0xff, false);
	if (!(lvt & APIC_LVT_TIMER_PERIODIC) || period == 0) {
		a->timer_deadline = 0;
		return;
	}
	/* Periods that went by unseen become one interrupt, as IRR has one bit. */
	a->timer_deadline += ((now - a->timer_deadline) / period + 1) * period;
	a->timer_start = a->timer_deadline - period;
}

static uint32_t timer_current(struct apic *a, uint64_t now)
{
	apic_timer_advance(a, now);
	if (a->timer_deadline == 0)
		return 0;
	return (uint32_t)((a->timer_deadline - now) >> timer_shift(a));
}

/* A new divisor keeps the count and changes how fast it falls. */
static void timer_divide_write(struct apic *a, uint32_t value, uint64_t now, struct apic_effects *e)
{
	uint32_t count = timer_current(a, now);

	a->timer_divide = value & 0xb;
	if (a->timer_deadline != 0)
		a->timer_deadline = now + ((uint64_t)count << timer_shift(a));
	e->timer = true;
}

static uint32_t id_register(const struct apic *a)
{
	return is_x2apic(a) ? a->id : a->id << 24;
}

static uint32_t read_bitmap(const struct apic *a, uint32_t offset)
{
	unsigned int word = offset >> 4 & 7;

	if (offset < APIC_REG_TMR)
		return a->isr[word];
	return offset < APIC_REG_IRR ? a->tmr[word] : a->irr[word];
}

uint32_t apic_read(struct apic *a, uint32_t offset, uint64_t now)
{
	if (offset >= APIC_REG_ISR && offset < APIC_REG_ESR)
		return read_bitmap(a, offset);
	if (offset >= APIC_REG_LVT_TIMER && offset <= APIC_REG_LVT_ERROR)
		return a->lvt[(offset - APIC_REG_LVT_TIMER) >> 4];
	switch (offset) {
	case APIC_REG_ID:
		return id_register(a);
	case APIC_REG_VERSION:
		return APIC_VERSION;
	case APIC_REG_TPR:
		return a->tpr;
	case APIC_REG_PPR:
		return processor_priority(a);
	case APIC_REG_LDR:
		return a->ldr;
	case APIC_REG_DFR:
		return a->dfr;
	case APIC_REG_SVR:
		return a->svr;
	case APIC_REG_ESR:
		return a->esr;
	case APIC_REG_ICR:
		return (uint32_t)a->icr;
	case APIC_REG_ICR2:
		return (uint32_t)(a->icr >> 32);
	case APIC_REG_TIMER_INITIAL:
		return a->timer_initial;
	case APIC_REG_TIMER_CURRENT:
		return timer_current(a, now);
	case APIC_REG_TIMER_DIVIDE:
		return a->timer_divide;
	case APIC_REG_APR:
	case APIC_REG_RRR:
	case APIC_REG_EOI:
		return 0;
	default:
		raise_error(a, APIC_ESR_REGISTER_ILLEGAL);
		return 0;
	}
}

static void svr_write(struct apic *a, uint32_t value)
{
	a->svr = value & APIC_SVR_WRITABLE;
	if (a->svr & APIC_SVR_ENABLE)
		return;
	for (unsigned int i = 0; i < APIC_LVT_COUNT; i++)
		a->lvt[i] |= APIC_LVT_MASKED;
}

static void lvt_write(struct apic *a, enum apic_lvt index, uint32_t value, uint64_t now,
		      struct apic_effects *e)
{
	uint32_t writable = APIC_LVT_WRITABLE;

	if (index == APIC_LVT_TIMER)
		writable = APIC_LVT_MASKED | APIC_LVT_TIMER_PERIODIC | 0xff;
	else if (index == APIC_LVT_LINT0 || index == APIC_LVT_LINT1)
		writable |= APIC_LVT_LINT_EXTRA;
	else if (index == APIC_LVT_ERROR)
		writable = APIC_LVT_MASKED | 0xff;
	if (!(a->svr & APIC_SVR_ENABLE))
		value |= APIC_LVT_MASKED;
	if (index == APIC_LVT_TIMER) {
		/* What is due by now is due by the old entry. */
		apic_timer_advance(a, now);
		e->timer = true;
	}
	a->lvt[index] = value & writable;
	if (index == APIC_LVT_LINT0)
		e->lint0 = true;
}

void apic_send_ipi(struct apic *a, uint64_t icr, struct apic_effects *e)
{
	uint8_t vector = (uint8_t)icr;
	enum apic_mode mode = icr >> 8 & 7;

	a->icr = icr;
	if (!(a->base & APIC_BASE_ENABLE))
		return;
	if (mode <= APIC_MODE_LOWEST && vector < APIC_VECTOR_FIRST_LEGAL) {
		raise_error(a, APIC_ESR_SEND_ILLEGAL);
		return;
	}
	e->ipi = (struct apic_ipi){
		.valid = true,
		.mode = mode,
		.vector = vector,
		.logical = icr >> 11 & 1,
		.deassert = mode == APIC_MODE_INIT && (icr >> 14 & 3) == 2,
		.shorthand = icr >> 18 & 3,
		.destination = is_x2apic(a) ? (uint32_t)(icr >> 32) : (uint32_t)(icr >> 56),
	};
}

void apic_write(struct apic *a, uint32_t offset, uint32_t value, uint64_t now,
		struct apic_effects *e)
{
	if (offset >= APIC_REG_LVT_TIMER && offset <= APIC_REG_LVT_ERROR) {
		lvt_write(a, (offset - APIC_REG_LVT_TIMER) >> 4, value, now, e);
		return;
	}
	switch (offset) {
	case APIC_REG_ID: /* may be read-only, and an id that changes serves nobody */
		return;
	case APIC_REG_TPR:
		a->tpr = value & 0xff;
		return;
	case APIC_REG_EOI:
		end_of_interrupt(a, e);
		return;
	case APIC_REG_LDR:
		a->ldr = value & 0xff000000;
		return;
	case APIC_REG_DFR:
		a->dfr = value | 0x0fffffff;
		return;
	case APIC_REG_SVR:
		svr_write(a, value);
		return;
	case APIC_REG_ESR:
		a->esr = a->esr_new;
		a->esr_new = 0;
		return;
	case APIC_REG_ICR:
		apic_send_ipi(a, (a->icr & ~0xffffffffull) | (value & APIC_ICR_WRITABLE), e);
		return;
	case APIC_REG_ICR2:
		a->icr = (a->icr & 0xffffffff) | (uint64_t)(value & 0xff000000) << 32;
		return;
	case APIC_REG_TIMER_INITIAL:
		apic_timer_advance(a, now);
		a->timer_initial = value;
		timer_load(a, now, e);
		return;
	case APIC_REG_TIMER_DIVIDE:
		timer_divide_write(a, value, now, e);
		return;
	default:
		raise_error(a, APIC_ESR_REGISTER_ILLEGAL);
	}
}

static bool msr_readable(uint32_t offset)
{
	if (offset >= APIC_REG_ISR && offset <= APIC_REG_ESR)
		return true;
	if (offset >= APIC_REG_LVT_TIMER && offset <= APIC_REG_TIMER_CURRENT)
		return true;
	switch (offset) {
	case APIC_REG_ID:
	case APIC_REG_VERSION:
	case APIC_REG_TPR:
	case APIC_REG_PPR:
	case APIC_REG_LDR:
	case APIC_REG_SVR:
	case APIC_REG_ICR:
	case APIC_REG_TIMER_DIVIDE:
		return true;
	default:
		return false;
	}
}

bool apic_msr_read(struct apic *a, uint32_t msr, uint64_t now, uint64_t *value)
{
	uint32_t offset = (msr - APIC_MSR_BASE) << 4;

	if (!is_x2apic(a) || !msr_readable(offset))
		return false;
	*value = offset == APIC_REG_ICR ? a->icr : apic_read(a, offset, now);
	return true;
}

/* Registers that take any 32-bit value; the others are handled where they differ. */
static bool msr_writable(uint32_t offset)
{
	if (offset >= APIC_REG_LVT_TIMER && offset <= APIC_REG_TIMER_INITIAL)
		return true;
	return offset == APIC_REG_TPR || offset == APIC_REG_SVR || offset == APIC_REG_TIMER_DIVIDE;
}

bool apic_msr_write(struct apic *a, uint32_t msr, uint64_t value, uint64_t now,
		    struct apic_effects *e)
{
	uint32_t offset = (msr - APIC_MSR_BASE) << 4;

	if (!is_x2apic(a))
		return false;
	if (offset == APIC_REG_ICR) {
		if (value & APIC_ICR_RESERVED)
			return false;
		apic_send_ipi(a, value & (0xffffffffull << 32 | APIC_ICR_WRITABLE), e);
		return true;
	}
	if (value >> 32 != 0)
		return false;
	if (offset == APIC_REG_SELF_IPI) {
		if (value > 0xff)
			return false;
		apic_send_ipi(a, (uint64_t)APIC_TO_SELF << 18 | value, e);
		return true;
	}
	if (offset == APIC_REG_EOI || offset == APIC_REG_ESR) {
		if (value != 0)
			return false;
	} else if (!msr_writable(offset)) {
		return false;
	}
	apic_write(a, offset, (uint32_t)value, now, e);
	return true;
}

static bool is_logical_destination(const struct apic *a, uint32_t destination)
{
	uint32_t logical = a->ldr >> 24;

	if (is_x2apic(a))
		return destination >> 16 == a->ldr >> 16 && (destination & a->ldr & 0xffff) != 0;
	if (a->dfr >> 28 == 0xf)
		return (destination & logical) != 0;
	return destination >> 4 == logical >> 4 && (destination & logical & 0xf) != 0;
}

bool apic_is_destination(const struct apic *a, uint32_t destination, bool logical)
{
	if (!(a->base & APIC_BASE_ENABLE))
		return false;
	if (!is_x2apic(a))
		destination = apic_destination_of(destination);
	if (destination == APIC_BROADCAST)
		return true;
	return logical ? is_logical_destination(a, destination) : destination == a->id;
}
