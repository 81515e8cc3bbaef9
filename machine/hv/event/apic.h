/* SPDX-License-Identifier: MIT */
/*
 * The state machine of one local APIC (APM volume 2, chapter 16), without any side effect: it
 * knows neither CPUs nor clocks. Time comes in as ticks of one clock that never stops; what a
 * register write asks of the world goes out as effects.
 */
#ifndef SOCLE_MACHINE_HV_EVENT_APIC_H
#define SOCLE_MACHINE_HV_EVENT_APIC_H

#include <stdbool.h>
#include <stdint.h>

#define APIC_MMIO_BASE 0xfee00000ull
#define APIC_BASE_BSP (1ull << 8)
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)

/* Register offsets of the MMIO page; MSR 0x800 + offset / 16 in x2APIC mode. */
#define APIC_REG_ID 0x020u
#define APIC_REG_VERSION 0x030u
#define APIC_REG_TPR 0x080u
#define APIC_REG_APR 0x090u
#define APIC_REG_PPR 0x0a0u
#define APIC_REG_EOI 0x0b0u
#define APIC_REG_RRR 0x0c0u
#define APIC_REG_LDR 0x0d0u
#define APIC_REG_DFR 0x0e0u
#define APIC_REG_SVR 0x0f0u
#define APIC_REG_ISR 0x100u
#define APIC_REG_TMR 0x180u
#define APIC_REG_IRR 0x200u
#define APIC_REG_ESR 0x280u
#define APIC_REG_ICR 0x300u
#define APIC_REG_ICR2 0x310u
#define APIC_REG_LVT_TIMER 0x320u
#define APIC_REG_LVT_THERMAL 0x330u
#define APIC_REG_LVT_PERF 0x340u
#define APIC_REG_LVT_LINT0 0x350u
#define APIC_REG_LVT_LINT1 0x360u
#define APIC_REG_LVT_ERROR 0x370u
#define APIC_REG_TIMER_INITIAL 0x380u
#define APIC_REG_TIMER_CURRENT 0x390u
#define APIC_REG_TIMER_DIVIDE 0x3e0u
#define APIC_REG_SELF_IPI 0x3f0u /* x2APIC only */

#define APIC_LVT_MASKED (1u << 16)
#define APIC_LVT_TIMER_PERIODIC (1u << 17)
#define APIC_LVT_MODE_SHIFT 8
#define APIC_SVR_ENABLE (1u << 8)
#define APIC_ESR_SEND_ILLEGAL (1u << 5)
#define APIC_ESR_RECEIVE_ILLEGAL (1u << 6)
#define APIC_ESR_REGISTER_ILLEGAL (1u << 7)

enum apic_mode { /* delivery modes of LVT, ICR and IOAPIC entries */
		 APIC_MODE_FIXED = 0,
		 APIC_MODE_LOWEST = 1,
		 APIC_MODE_SMI = 2,
		 APIC_MODE_NMI = 4,
		 APIC_MODE_INIT = 5,
		 APIC_MODE_STARTUP = 6,
		 APIC_MODE_EXTINT = 7,
};

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

/* Vector of the highest pending interrupt that only the task priority holds back, or -1. */
int apic_held_by_tpr(const struct apic *a);

/* The CPU takes the interrupt of apic_pending(): IRR to ISR. */
void apic_acknowledge(struct apic *a, uint8_t vector);

/* Lets the timer run up to now: raises its interrupt, reloads a periodic one. */
void apic_timer_advance(struct apic *a, uint64_t now);

/* True when an IPI or a device interrupt with that destination is for this APIC. */
bool apic_is_destination(const struct apic *a, uint32_t destination, bool logical);

#endif
