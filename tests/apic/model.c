/* SPDX-License-Identifier: MIT */
/*
 * What the monitor's APICs (monitor/apic) do in a sequence: apic-model SEED STEPS [x2apic]. What a
 * CPU has to do with an APIC is done here as the CPU would: it takes an NMI at once, and an
 * interrupt where it lets one in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/svsm.h"
#include "monitor/apic/apic.h"
#include "tests/apic/sequence.h"

struct cpu {
	struct apic apic;
	uint32_t nmis, taken, last;
};

static struct cpu cpus[SEQUENCE_CPUS];
static bool x2apic;

static void fail(const char *what)
{
	fprintf(stderr, "apic-model: %s\n", what);
	exit(1);
}

static void effects(struct cpu *from, const struct apic_effects *e)
{
	for (unsigned int i = 0; e->sent && i < SEQUENCE_CPUS; i++) {
		struct cpu *to = &cpus[i];

		if (!apic_reaches(&e->ipi, from->apic.id, to->apic.id))
			continue;
		apic_request(&to->apic, &e->ipi);
		to->nmis += to->apic.nmi;
		to->apic.nmi = false;
	}
}

static void write_register(struct cpu *cpu, uint64_t reg, uint64_t value)
{
	struct apic_effects e;

	if (!apic_write(&cpu->apic, reg, value, &e))
		fail("a write is refused");
	effects(cpu, &e);
}

static void take(struct cpu *cpu)
{
	for (;;) {
		int vector = apic_pending(&cpu->apic);

		if (vector < 0)
			return;
		apic_take(&cpu->apic, (uint8_t)vector);
		cpu->taken++;
		cpu->last = (uint32_t)vector;
	}
}

static uint32_t destination(const struct step *s)
{
	return !x2apic && s->destination == 0xff ? 0xffffffff : s->destination;
}

static void run(const struct step *s)
{
	struct cpu *cpu = &cpus[s->cpu];

	switch (s->kind) {
	case STEP_TPR:
		write_register(cpu, SVSM_APIC_TPR, s->value);
		break;
	case STEP_EOI:
		write_register(cpu, SVSM_APIC_EOI, 0);
		break;
	case STEP_SEND:
		write_register(cpu, SVSM_APIC_ICR, s->value | (uint64_t)destination(s) << 32);
		break;
	case STEP_SELF:
		write_register(cpu, SVSM_APIC_SELF_IPI, s->value);
		break;
	case STEP_DEVICE:
		if (!apic_host_interrupt(&cpu->apic, (uint8_t)s->value, s->level))
			fail("an allowed vector is refused");
		break;
	default:
		take(cpu);
		break;
	}
}

static uint64_t reg64(const struct cpu *cpu, uint64_t number)
{
	uint64_t value;

	if (!apic_read(&cpu->apic, number, &value))
		fail("a register is missing");
	return value;
}

static uint32_t reg(const struct cpu *cpu, uint64_t number)
{
	return (uint32_t)reg64(cpu, number);
}

static void show(unsigned int n)
{
	const struct cpu *cpu = &cpus[n];
	uint32_t words[LINE_WORDS] = {
		[LINE_ID] = reg(cpu, SVSM_APIC_ID),
		[LINE_TPR] = reg(cpu, SVSM_APIC_TPR),
		[LINE_PPR] = reg(cpu, SVSM_APIC_PPR),
		[LINE_ICR] = reg(cpu, SVSM_APIC_ICR),
		[LINE_ICR_HIGH] = x2apic ? (uint32_t)(reg64(cpu, SVSM_APIC_ICR) >> 32) : 0,
		[LINE_LDR] = x2apic ? reg(cpu, SVSM_APIC_LDR) : 0,
		[LINE_NMIS] = cpu->nmis,
		[LINE_TAKEN] = cpu->taken,
		[LINE_LAST] = cpu->last,
	};

	for (unsigned int i = 0; i < 8; i++) {
		words[LINE_ISR + i] = reg(cpu, SVSM_APIC_ISR + i);
		words[LINE_TMR + i] = reg(cpu, SVSM_APIC_TMR + i);
		words[LINE_IRR + i] = reg(cpu, SVSM_APIC_IRR + i);
	}
	for (unsigned int i = 0; i < LINE_WORDS; i++)
		printf("%x%c", words[i], i + 1 == LINE_WORDS ? '\n' : ' ');
}

int main(int argc, char **argv)
{
	uint32_t state = argc >= 3 ? (uint32_t)strtoul(argv[1], NULL, 0) : 0;
	unsigned long steps = argc >= 3 ? strtoul(argv[2], NULL, 0) : 0;

	x2apic = argc == 4 && strcmp(argv[3], "x2apic") == 0;
	if (state == 0 || steps == 0 || argc != (x2apic ? 4 : 3))
		fail("apic-model SEED STEPS [x2apic]");
	for (unsigned int i = 0; i < SEQUENCE_CPUS; i++) {
		struct step first = sequence_first(i);

		apic_reset(&cpus[i].apic, i);
		if (!apic_configure_vector(&cpus[i].apic,
					   SVSM_APIC_VECTOR_ALL | SVSM_APIC_VECTOR_ALLOW))
			fail("the vectors cannot be allowed");
		run(&first);
	}
	for (unsigned long i = 0; i < steps; i++) {
		struct step s = sequence_next(&state, x2apic);

		run(&s);
		printf("step %lx kind %x cpu %x\n", i, s.kind, s.cpu);
		for (unsigned int n = 0; n < SEQUENCE_CPUS; n++)
			show(n);
	}
	printf("end\n");
	return 0;
}
