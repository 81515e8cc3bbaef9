/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of a guest's vCPU as Socle keeps it for a guest that uses the APIC protocol
 * (58019, protocol 3; registers as in APM volume 2, chapter 16). A state machine without side
 * effects: no CPU, no lock, no clock. What a register write asks of the world goes out as effects.
 *
 * An interrupt of a vector, and where it stands:
 *
 *	         apic_request()             apic_take()               EOI
 *	(none) ------------------> IRR, waits ---------> ISR, served ------> (none)
 *	     apic_host_interrupt()     ^                     |
 *	                               +--- apic_untake() ---+
 *	                         handed to the CPU, which did not take it
 *
 * Invariants:
 *  1. A vector is taken only when its class (its upper four bits) is above that of every one in
 *     ISR, so ISR has at most one of each class, and the last taken is the highest.
 *  2. host_level is within IRR and host_eoi within ISR: the level-sensitive ones that the host
 *     raised and whose EOI it still waits for.
 *  3. lazy is set only while ISR has exactly one vector, whose EOI the host does not wait for.
 *  4. Nothing that a host raised stands in IRR unless its vector was allowed then, and never one
 *     below APIC_VECTOR_FIRST.
 */
#ifndef SOCLE_MONITOR_APIC_APIC_H
#define SOCLE_MONITOR_APIC_APIC_H

#include <stdbool.h>
#include <stdint.h>

#define APIC_WORDS 8u /* a bit for each of 256 vectors */
/*
 * Below are the CPU's exceptions, which no host may fake. A hardware APIC takes 16 to 30 as well
 * (APM volume 2, 16.6.1), but the descriptor that gives the APIC back to the host has no place for
 * them.
 */
#define APIC_VECTOR_FIRST 31u

struct apic {
	uint32_t id;
	uint8_t tpr;
	bool nmi;  /* one waits */
	bool lazy; /* the guest may end the one in service without a call */
	uint64_t icr;
	uint32_t irr[APIC_WORDS], isr[APIC_WORDS], tmr[APIC_WORDS];
	uint32_t host_level[APIC_WORDS], host_eoi[APIC_WORDS];
	uint32_t allowed[APIC_WORDS]; /* vectors that the host may raise */
};

enum apic_shorthand {
	APIC_TO_DESTINATION = 0,
	APIC_TO_SELF = 1,
	APIC_TO_ALL = 2,
	APIC_TO_OTHERS = 3,
};

/* What a write of the ICR sends, fixed or NMI. */
struct apic_ipi {
	bool nmi;
	uint8_t vector; /* of a fixed one */
	bool logical;
	enum apic_shorthand shorthand;
	uint32_t destination; /* an x2APIC id, or a cluster 31:16 and a mask 15:0 */
};

struct apic_effects {
	bool sent; /* ipi is to go to all that apic_reaches() names */
	struct apic_ipi ipi;
	bool host_eoi; /* the host is to be told the end of host_vector */
	uint8_t host_vector;
};

/* The state at a vCPU's start: nothing waits, and nothing of the host's is allowed. */
void apic_reset(struct apic *a, uint32_t id);

/*
 * One register, by its x2APIC MSR number. False, with nothing done: there is no such register, it
 * is not to be read or written, or a bit is set that it does not have. A vector below
 * APIC_VECTOR_FIRST is such a bit, for there is no error register to report it in. *e is written in
 * any case.
 */
bool apic_read(const struct apic *a, uint64_t reg, uint64_t *value);
bool apic_write(struct apic *a, uint64_t reg, uint64_t value, struct apic_effects *e);

/* Whether an IPI of the APIC with id from is for the one with id to. */
bool apic_reaches(const struct apic_ipi *ipi, uint32_t from, uint32_t to);

/* An IPI arrives, from a vCPU of the guest. */
void apic_request(struct apic *a, const struct apic_ipi *ipi);

/*
 * The host raises an interrupt. False: not allowed, and nothing happens; the host gets no EOI
 * either.
 */
bool apic_host_interrupt(struct apic *a, uint8_t vector, bool level);

/*
 * RCX of CONFIGURE_VECTOR: vector 7:0, allow 8, all vectors 9. What waits already is not touched.
 * False: another bit, or a vector that no host may raise.
 */
bool apic_configure_vector(struct apic *a, uint64_t rcx);

/* Priority of the processor: what is not of a higher class waits. */
uint8_t apic_ppr(const struct apic *a);

/* The highest that waits and that PPR lets through, -1: none. */
int apic_pending(const struct apic *a);

/* The same whatever TPR is: the one that is next once the guest has lowered it. */
int apic_next(const struct apic *a);

/* The CPU takes the vector of apic_pending() or apic_next(). */
void apic_take(struct apic *a, uint8_t vector);

/* It did not after all: the last one taken waits again. */
void apic_untake(struct apic *a, uint8_t vector);

/* The guest's TPR moved by CR8: the priority class that the CPU has now. */
void apic_set_class(struct apic *a, uint8_t priority);

/*
 * Lazy EOI (58019, calling area, NoEoiRequired). apic_offer_lazy() says whether the flag is to be
 * set: one in service, its end nothing to the host, none waiting, so that nothing would follow.
 * apic_end_lazy() comes before anything else is looked at, with the flag as the guest left it,
 * which the caller clears in the same step: a guest that cleared it has ended the interrupt.
 */
bool apic_offer_lazy(struct apic *a);
void apic_end_lazy(struct apic *a, uint8_t flag, struct apic_effects *e);

#endif
