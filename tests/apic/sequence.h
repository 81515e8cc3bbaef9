/* SPDX-License-Identifier: MIT */
/*
 * Random sequences of what can be done to the local APICs of some CPUs, the same for the bare-metal
 * image (bare.c), which does it to QEMU's or KVM's, and for the model (model.c). Both print the
 * registers after each step in the same lines. An xAPIC has another LDR and fewer destinations than
 * an x2APIC, and no self-IPI.
 */
#ifndef SOCLE_TESTS_APIC_SEQUENCE_H
#define SOCLE_TESTS_APIC_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

#define SEQUENCE_CPUS 4u
#define SEQUENCE_VECTOR_FIRST 31u

enum step_kind {
	STEP_TPR,    /* cpu writes value to its TPR */
	STEP_EOI,    /* cpu writes EOI */
	STEP_SEND,   /* cpu writes value to its ICR, destination to the upper half */
	STEP_DEVICE, /* a device raises a vector at cpu, level-triggered or not */
	STEP_TAKE,   /* cpu lets interrupts in, until none comes */
	STEP_SELF,   /* cpu writes value to its self-IPI register; x2APIC only */
	STEP_COUNT,
};

struct step {
	enum step_kind kind;
	uint32_t cpu;
	uint32_t value;	      /* ICR 31:0, TPR, vector */
	uint32_t destination; /* as an xAPIC has it, 8 bits, 0xff: all; or as an x2APIC has it */
	bool level;
};

/* The words of one CPU's line, in this order. */
enum {
	LINE_ID,
	LINE_TPR,
	LINE_PPR,
	LINE_ICR,
	LINE_ICR_HIGH, /* of an x2APIC */
	LINE_LDR,      /* of an x2APIC */
	LINE_ISR,
	LINE_TMR = LINE_ISR + 8,
	LINE_IRR = LINE_TMR + 8,
	LINE_NMIS = LINE_IRR + 8, /* taken so far */
	LINE_TAKEN,		  /* interrupts taken so far, and the last one */
	LINE_LAST,
	LINE_WORDS,
};

/* What each CPU does before all else, so that its ICR is known: an IPI to nobody. */
struct step sequence_first(uint32_t cpu);

/* The next step. *state is the seed at first, not 0. */
struct step sequence_next(uint32_t *state, bool x2apic);

#endif
