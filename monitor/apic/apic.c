/* SPDX-License-Identifier: MIT */
#include "monitor/apic/apic.h"

#include <stddef.h>

#include "abi/svsm.h"

#define BROADCAST 0xffffffffu
#define CLASS_MASK 0xf0u

/* ICR (APM volume 2, 16.5, x2APIC format). */
#define ICR_MODE_SHIFT 8
#define ICR_MODE_MASK 0x7u
#define ICR_MODE_FIXED 0u
#define ICR_MODE_NMI 4u
#define ICR_LOGICAL (1ull << 11)
#define ICR_SHORTHAND_SHIFT 18
#define ICR_DESTINATION_SHIFT 32
/*
 * Delivery status, 13, remote read status, 31:20. Level and trigger mode mean nothing to these
 * modes.
 */
#define ICR_RESERVED 0xfff33000ull

static bool has(const uint32_t *map, unsigned int n)
{
	return map[n / 32] >> (n % 32) & 1;
}

static void set(uint32_t *map, unsigned int n)
{
	map[n / 32] |= 1u << (n % 32);
}

static void clear(uint32_t *map, unsigned int n)
{
	map[n / 32] &= ~(1u << (n % 32));
}

static void put(uint32_t *map, unsigned int n, bool value)
{
	if (value)
		set(map, n);
	else
		clear(map, n);
}

static void move(uint32_t *from, uint32_t *to, unsigned int n)
{
	if (has(from, n))
		set(to, n);
	clear(from, n);
}

static int highest(const uint32_t *map)
{
	for (int i = APIC_WORDS - 1; i >= 0; i--) {
		if (map[i] != 0)
			return 32 * i + 31 - __builtin_clz(map[i]);
	}
	return -1;
}

/* Whether n, which is in the map, is all that is. */
static bool is_only(const uint32_t *map, unsigned int n)
{
	for (unsigned int i = 0; i < APIC_WORDS; i++) {
		if (map[i] != (i == n / 32 ? 1u << n % 32 : 0))
			return false;
	}
	return true;
}

static uint32_t logical_id(uint32_t id)
{
	return (id & ~0xfu) << 12 | 1u << (id & 0xf);
}

void apic_reset(struct apic *a, uint32_t id)
{
	*a = (struct apic){ .id = id };
}

static uint8_t served_class(const struct apic *a)
{
	int vector = highest(a->isr);

	return vector < 0 ? 0 : (uint8_t)((unsigned int)vector & CLASS_MASK);
}

uint8_t apic_ppr(const struct apic *a)
{
	uint8_t served = served_class(a);

	return (a->tpr & CLASS_MASK) >= served ? a->tpr : served;
}

static int waiting_above(const struct apic *a, uint8_t priority)
{
	int vector = highest(a->irr);

	if (vector < 0 || ((unsigned int)vector & CLASS_MASK) <= (priority & CLASS_MASK))
		return -1;
	return vector;
}

int apic_pending(const struct apic *a)
{
	return waiting_above(a, apic_ppr(a));
}

int apic_next(const struct apic *a)
{
	return waiting_above(a, served_class(a));
}

void apic_take(struct apic *a, uint8_t vector)
{
	clear(a->irr, vector);
	set(a->isr, vector);
	move(a->host_level, a->host_eoi, vector);
}

void apic_untake(struct apic *a, uint8_t vector)
{
	clear(a->isr, vector);
	set(a->irr, vector);
	move(a->host_eoi, a->host_level, vector);
	a->lazy = false;
}

void apic_set_class(struct apic *a, uint8_t priority)
{
	if (a->tpr >> 4 != priority)
		a->tpr = (uint8_t)(priority << 4);
}

static void end(struct apic *a, struct apic_effects *e)
{
	int vector = highest(a->isr);

	a->lazy = false;
	if (vector < 0)
		return;
	clear(a->isr, (unsigned int)vector);
	if (!has(a->host_eoi, (unsigned int)vector))
		return;
	clear(a->host_eoi, (unsigned int)vector);
	e->host_eoi = true;
	e->host_vector = (uint8_t)vector;
}

bool apic_offer_lazy(struct apic *a)
{
	int vector = highest(a->isr);

	a->lazy = vector >= 0 && is_only(a->isr, (unsigned int)vector) && highest(a->irr) < 0 &&
		  !has(a->host_eoi, (unsigned int)vector);
	return a->lazy;
}

void apic_end_lazy(struct apic *a, uint8_t flag, struct apic_effects *e)
{
	*e = (struct apic_effects){ 0 };
	if (a->lazy && flag == 0)
		end(a, e);
	a->lazy = false;
}

static void request(struct apic *a, uint8_t vector, bool level)
{
	set(a->irr, vector);
	put(a->tmr, vector, level);
}

void apic_request(struct apic *a, const struct apic_ipi *ipi)
{
	if (ipi->nmi)
		a->nmi = true;
	else
		request(a, ipi->vector, false);
}

bool apic_host_interrupt(struct apic *a, uint8_t vector, bool level)
{
	if (vector < APIC_VECTOR_FIRST || !has(a->allowed, vector))
		return false;
	request(a, vector, level);
	if (level)
		set(a->host_level, vector);
	return true;
}

bool apic_configure_vector(struct apic *a, uint64_t rcx)
{
	bool allow = rcx & SVSM_APIC_VECTOR_ALLOW;
	unsigned int first = rcx & SVSM_APIC_VECTOR_MASK, last = first;

	if (rcx & SVSM_APIC_VECTOR_RESERVED)
		return false;
	if (rcx & SVSM_APIC_VECTOR_ALL) {
		first = APIC_VECTOR_FIRST;
		last = 32 * APIC_WORDS - 1;
	}
	if (first < APIC_VECTOR_FIRST)
		return false;
	for (unsigned int vector = first; vector <= last; vector++)
		put(a->allowed, vector, allow);
	return true;
}

/* The word of a register that has eight of them, NULL: it is none of those. */
static const uint32_t *word(const struct apic *a, uint64_t reg)
{
	if (reg >= SVSM_APIC_ISR && reg < SVSM_APIC_ISR + APIC_WORDS)
		return &a->isr[reg - SVSM_APIC_ISR];
	if (reg >= SVSM_APIC_TMR && reg < SVSM_APIC_TMR + APIC_WORDS)
		return &a->tmr[reg - SVSM_APIC_TMR];
	if (reg >= SVSM_APIC_IRR && reg < SVSM_APIC_IRR + APIC_WORDS)
		return &a->irr[reg - SVSM_APIC_IRR];
	return NULL;
}

bool apic_read(const struct apic *a, uint64_t reg, uint64_t *value)
{
	const uint32_t *bits = word(a, reg);

	if (bits != NULL) {
		*value = *bits;
		return true;
	}
	switch (reg) {
	case SVSM_APIC_ID:
		*value = a->id;
		return true;
	case SVSM_APIC_TPR:
		*value = a->tpr;
		return true;
	case SVSM_APIC_PPR:
		*value = apic_ppr(a);
		return true;
	case SVSM_APIC_LDR:
		*value = logical_id(a->id);
		return true;
	case SVSM_APIC_ICR:
		*value = a->icr;
		return true;
	default:
		return false;
	}
}

static bool write_icr(struct apic *a, uint64_t value, struct apic_effects *e)
{
	unsigned int mode = value >> ICR_MODE_SHIFT & ICR_MODE_MASK;
	uint8_t vector = (uint8_t)value;

	if (value & ICR_RESERVED)
		return false;
	if (mode != ICR_MODE_NMI && (mode != ICR_MODE_FIXED || vector < APIC_VECTOR_FIRST))
		return false;
	a->icr = value;
	e->sent = true;
	e->ipi = (struct apic_ipi){
		.nmi = mode == ICR_MODE_NMI,
		.vector = vector,
		.logical = value & ICR_LOGICAL,
		.shorthand = value >> ICR_SHORTHAND_SHIFT & 3,
		.destination = (uint32_t)(value >> ICR_DESTINATION_SHIFT),
	};
	return true;
}

static bool write_self_ipi(struct apic *a, uint64_t value)
{
	if (value > UINT8_MAX || value < APIC_VECTOR_FIRST)
		return false;
	request(a, (uint8_t)value, false);
	return true;
}

bool apic_write(struct apic *a, uint64_t reg, uint64_t value, struct apic_effects *e)
{
	*e = (struct apic_effects){ 0 };
	switch (reg) {
	case SVSM_APIC_TPR:
		if (value > UINT8_MAX)
			return false;
		a->tpr = (uint8_t)value;
		return true;
	case SVSM_APIC_EOI:
		if (value != 0)
			return false;
		end(a, e);
		return true;
	case SVSM_APIC_ICR:
		return write_icr(a, value, e);
	case SVSM_APIC_SELF_IPI:
		return write_self_ipi(a, value);
	default:
		return false;
	}
}

static bool is_logical_destination(uint32_t destination, uint32_t id)
{
	uint32_t own = logical_id(id);

	return destination >> 16 == own >> 16 && (destination & own & 0xffff) != 0;
}

bool apic_reaches(const struct apic_ipi *ipi, uint32_t from, uint32_t to)
{
	switch (ipi->shorthand) {
	case APIC_TO_SELF:
		return to == from;
	case APIC_TO_ALL:
		return true;
	case APIC_TO_OTHERS:
		return to != from;
	default:
		break;
	}
	if (ipi->destination == BROADCAST)
		return true;
	return ipi->logical ? is_logical_destination(ipi->destination, to) : ipi->destination == to;
}
