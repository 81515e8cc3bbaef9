/* SPDX-License-Identifier: MIT */
/*
 * The state machine of one local APIC (APM volume 2, chapter 16), without any side effect: it
 * knows neither CPUs nor clocks. Time comes in as ticks of one clock that never stops; what a
 * register write asks of the world goes out as effects.
 */
#ifndef SOCLE_MACHINE_HV_EVENT_APIC_H
#define SOCLE_MACHINE_HV_EVENT_APIC_H

#include <stdbool.h>

#include "machine/hv/base/lapic.h"

#define APIC_BASE_BSP (1ull << 8)
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_ESR_SEND_ILLEGAL (1u << 5)
#define APIC_ESR_RECEIVE_ILLEGAL (1u << 6)
#define APIC_ESR_REGISTER_ILLEGAL (1u << 7)

enum apic_lvt {
	APIC_LVT_TIMER,
	APIC_LVT_THERMAL,
	APIC_LVT_PERF,
	APIC_LVT_LINT0,
	APIC_LVT_LINT1,
	APIC_LVT_ERROR,
	APIC_LVT_COUNT,
};

struct apic {
	uint32_t id;
	uint64_t base; /* MSR APIC_BASE */
	uint32_t tpr, ldr, dfr, svr, esr, esr_new;
	uint64_t icr;
	uint32_t lvt[APIC_LVT_COUNT];
	uint32_t irr[8], isr[8], tmr[8];
	uint32_t timer_initial, timer_divide;
	uint64_t timer_start;	 /* tick of the last load or reload of the count */
	uint64_t timer_deadline; /* tick at which the count reaches 0; 0: not counting */
	bool nmi_pending;
};

enum apic_shorthand {
	APIC_TO_DESTINATION = 0,
	APIC_TO_SELF = 1,
	APIC_TO_ALL = 2,
	APIC_TO_OTHERS = 3,
};

struct apic_ipi {
	bool valid;
	enum apic_mode mode;
	uint8_t vector;
	bool logical;
	bool deassert; /* INIT level de-assert: a no-op since the P6 */
	enum apic_shorthand shorthand;
	uint32_t destination;
};

struct apic_effects {
	struct apic_ipi ipi;
	bool eoi; /* an EOI of a level-triggered interrupt, of eoi_vector */
	uint8_t eoi_vector;
	bool timer; /* timer_deadline changed */
	bool lint0; /* LVT LINT0 changed */
};

/*
 * Power-up state. bsp: the first vCPU. x2apic: starts in x2APIC mode, as restricted injection has.
 */
void apic_reset(struct apic *a, uint32_t id, bool bsp, bool x2apic);

/* Enables it in software, with the spurious vector of the reset. */
void apic_enable(struct apic *a);

/* Reads the 32-bit register at a 16-byte-aligned offset; an unknown one is 0 and an ESR bit. */
uint32_t apic_read(struct apic *a, uint32_t offset, uint64_t now);
void apic_write(struct apic *a, uint32_t offset, uint32_t value, uint64_t now,
		struct apic_effects *e);

/* x2APIC MSRs 0x800..0x8ff. False: #GP. */
bool apic_msr_read(struct apic *a, uint32_t msr, uint64_t now, uint64_t *value);
bool apic_msr_write(struct apic *a, uint32_t msr, uint64_t value, uint64_t now,
		    struct apic_effects *e);

/* Sends what a write of the whole ICR sends, in the format of the APIC's mode. */
void apic_send_ipi(struct apic *a, uint64_t icr, struct apic_effects *e);

/* MSR APIC_BASE. Only enable and mode may change, along the legal transitions. False: #GP. */
bool apic_base_write(struct apic *a, uint64_t value);

/* An interrupt arrives. Ignored while the APIC is disabled in software; vectors < 16 are errors. */
void apic_accept(struct apic *a, uint8_t vector, bool level);

/* Vector of the highest pending interrupt that the priorities let through, or -1. */
int apic_pending(const struct apic *a);

/* The CPU takes the interrupt of apic_pending(): IRR to ISR. */
void apic_acknowledge(struct apic *a, uint8_t vector);

/* Whether an interrupt is in service, the highest edge-triggered: no device waits for its end. */
bool apic_serves_edge(const struct apic *a);

/*
 * Whether an EOI now would do nothing but end the interrupt in service: there is one, it is
 * edge-triggered, and none waits behind it.
 */
bool apic_ends_without_effect(const struct apic *a);

/* Lets the timer run up to now: raises its interrupt, reloads a periodic one. */
void apic_timer_advance(struct apic *a, uint64_t now);

#define APIC_BROADCAST 0xffffffffu

/* A destination of 8 bits, as xAPICs, entries of the IOAPIC and messages have it: 0xff is all. */
static inline uint32_t apic_destination_of(uint32_t destination)
{
	return destination == 0xff ? APIC_BROADCAST : destination;
}

/* True when an IPI or a device interrupt with that destination is for this APIC. */
bool apic_is_destination(const struct apic *a, uint32_t destination, bool logical);

#endif
