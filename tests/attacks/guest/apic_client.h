/* SPDX-License-Identifier: MIT */
/*
 * A client of the APIC protocol (58019, protocol 3; docs/spec/apic-client.md), for the guests whose
 * APIC is Socle's. Interrupts are let in by STI for a moment or with HLT, and a handler makes its
 * calls with interrupts off, as the code that it interrupts does.
 */
#ifndef SOCLE_TESTS_ATTACKS_APIC_CLIENT_H
#define SOCLE_TESTS_ATTACKS_APIC_CLIENT_H

#include "tests/attacks/guest/attack.h"

#define QUERY_FEATURES 0x300000000ull
#define CONFIGURE 0x300000001ull
#define READ_REGISTER 0x300000002ull
#define WRITE_REGISTER 0x300000003ull
#define CONFIGURE_VECTOR 0x300000004ull
#define INVALID_PARAMETER 0x80000005ull
#define UNSUPPORTED_PROTOCOL 0x80000001ull
#define UNSUPPORTED_CALL 0x80000002ull

#define ID 0x802
#define TPR 0x808
#define PPR 0x80a
#define EOI 0x80b
#define LDR 0x80d
#define ISR 0x810
#define TMR 0x818
#define IRR 0x820
#define ICR 0x830
#define SELF_IPI 0x83f

#define SELF 0x40000ull
#define ALL 0x80000ull
#define OTHERS 0xc0000ull
#define LOGICAL 0x800ull
#define NMI 0x400ull
#define TO(id) ((uint64_t)(id) << 32)
#define VECTORS_LAST 256u
#define PATIENCE 20000000u
#define HOST_PATIENCE 20000u
#define NO_EOI_REQUIRED 2u
#define COM1 0x3f8u
#define PIN_COM1 4u
#define PIN_LEVEL (1u << 15)
#define PIN_MASKED (1u << 16)

enum way { BY_CALL, BY_FLAG, NOT };

/* What the handler of a CPU has seen; that CPU writes it, any reads it. */
struct seen {
	uint64_t count[256];
	uint8_t last[VECTORS_LAST];
	uint64_t taken;	   /* all of count but NMIs */
	uint64_t ppr;	   /* of the last one, before its end */
	uint8_t flag[256]; /* no_eoi_required then */
	enum way way;	   /* how it is to end; NOT: not at all */
	bool device_off;   /* it turns COM1's interrupt off */
};

extern struct seen seen[CPUS_MAX];

/* Instead of counting, where a program wants that; with interrupts off, and without an EOI. */
extern void (*apic_handler)(uint64_t vector);

/* What an NMI does besides being counted, NULL: nothing. */
extern void (*nmi_handler)(void);

static inline struct seen *mine(void)
{
	return &seen[cpu_this()->id];
}

/* The value, or SVSM_NOT_TAKEN with the result of the call. */
uint64_t read_register(uint64_t reg);

/* The result of the call. */
uint64_t write_register(uint64_t reg, uint64_t value);

uint8_t *no_eoi_required(void);

/* As a handler ends: without a call where one is not needed. */
void end_of_interrupt(void);

/* The exceptions as they are, NMI and all interrupts, on this CPU. */
void load_gates(void);

/*
 * A job on all CPUs, one after the other, this one last; and on all others at once, while this one
 * waits.
 */
void on_all(void (*job)(void));
void on_others(void (*job)(void));

void let_in(void);

/*
 * Lets in what the host has raised until there were so many in all, and what comes within a while
 * after. A host runs VMPL0 for it between two instructions, not at the exit by which it was raised
 * (docs/planes.md).
 */
void let_in_from_host(uint64_t count);

void halt(void);

/* Nothing waits, nothing is in service, and nothing was seen: on this CPU, and on all. */
void start_here(void);
void start(void);

uint64_t count_of(unsigned int cpu, uint8_t vector);

/* Waits until a CPU has taken a vector so often, for a while. Whether it has. */
bool comes(unsigned int cpu, uint8_t vector, uint64_t count);

/* The same for a number that another CPU counts up. */
bool reaches(const uint64_t *number, uint64_t value);

/* The host sends this vCPU's plane an IPI: bits 17:0 of its ICR. */
void host_raises(uint64_t vector);

/* A register of the IOAPIC, and both halves of a pin's entry, for CPU 0. */
void ioapic_write(uint32_t reg, uint32_t value);
void pin_write(unsigned int pin, uint32_t low);

#endif
