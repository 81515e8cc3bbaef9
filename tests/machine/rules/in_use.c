/* SPDX-License-Identifier: MIT */
/*
 * The VMSA of a level that runs is in use: its RMP entry does not change, FAIL_INUSE = 3 (APM
 * volume 2, 15.36.12). That of a level that waits is not. Judge from outside: AMD's engineers on
 * the KVM mailing list, of 15.36.12 ("any attempt to modify").
 */
#include "tests/machine/rules/families.h"

#define SECTION "APM volume 2, 15.36.12"
#define VMSA_BIT (1ull << 16)
#define PAUSES 100000000ull

enum { PLAIN, AS_VMSA, VALIDATION };

static volatile uint64_t runs, enough;

/* Runs until VMPL0 of the first vCPU has tried. */
static uint64_t run_on(uint64_t arg)
{
	(void)arg;
	runs = 1;
	for (uint64_t i = 0; i < PAUSES && !enough; i++)
		__asm__ volatile("pause");
	return 0;
}

static uint64_t change(uint64_t how, unsigned int cpu, unsigned int vmpl)
{
	uint64_t vmsa = (uint64_t)actor_vmsa(cpu, vmpl);

	if (how == VALIDATION)
		return rule_pvalidate(vmsa, 0, 0);
	return rmpadjust(vmsa, 0, (how == AS_VMSA ? VMSA_BIT : 0) | 1);
}

static uint64_t while_it_runs(const struct rule_case *c)
{
	uint64_t result, done;

	runs = enough = 0;
	act_begin(1, c->vmpl, run_on, 0);
	for (uint64_t i = 0; i < PAUSES && !runs; i++)
		__asm__ volatile("pause");
	result = runs ? change(c->rule->arg, 1, c->vmpl) : ACTOR_DOES_NOT_RUN;
	enough = 1;
	done = act_finish(1);
	return result | done;
}

static uint64_t adjust_own(uint64_t how)
{
	return change(how, actor_cpu(), actor_level());
}

static uint64_t by_itself(const struct rule_case *c)
{
	return act(0, c->vmpl, adjust_own, c->rule->arg);
}

/* RMPADJUST with rights for VMPL3 of the VMSA that the caller runs on. */
static uint64_t adjust_for_lower(uint64_t arg)
{
	(void)arg;
	return rmpadjust((uint64_t)actor_vmsa(actor_cpu(), actor_level()), 0, VMSA_BIT | 3);
}

static uint64_t own_for_lower(const struct rule_case *c)
{
	return act(c->rule->vcpus > 1, c->vmpl, adjust_for_lower, 0);
}

static uint64_t nothing(uint64_t arg)
{
	return arg;
}

/* After it has run; and then it runs again. */
static uint64_t while_it_waits(const struct rule_case *c)
{
	unsigned int cpu = c->rule->vcpus > 1;
	uint64_t bad = act(cpu, c->vmpl, nothing, 0);

	bad |= change(AS_VMSA, cpu, c->vmpl);
	return bad | act(cpu, c->vmpl, nothing, 0);
}

static const struct rule rules[] = {
	{ "RMPADJUST while it runs: in use", SECTION, RULE_CPU, LEVELS_ALL, 2, 0, while_it_runs,
	  PLAIN, 3 },
	{ "RMPADJUST with VMSA bit while it runs: in use", SECTION, RULE_CPU, LEVELS_ALL, 2, 0,
	  while_it_runs, AS_VMSA, 3 },
	{ "PVALIDATE while it runs: in use", SECTION, RULE_CPU, LEVELS_ALL, 2, 0, while_it_runs,
	  VALIDATION, 3 },
	{ "RMPADJUST by itself: in use", SECTION, RULE_CPU, LEVEL(1) | LEVEL(2), 1, 0,
	  own_for_lower, 0, 3 },
	{ "RMPADJUST by itself, second vCPU: in use", SECTION, RULE_CPU,
	  LEVEL(0) | LEVEL(1) | LEVEL(2), 2, 0, own_for_lower, 0, 3 },
	{ "RMPADJUST by itself for its own level: refused before", SECTION, RULE_CPU, LEVEL(1), 1,
	  0, by_itself, AS_VMSA, 2 },
	{ "RMPADJUST while it waits", SECTION, RULE_CPU, LEVELS_LOWER, 1, 0, while_it_waits, 0, 0 },
	{ "RMPADJUST while it waits, second vCPU", SECTION, RULE_CPU, LEVELS_LOWER, 2, 0,
	  while_it_waits, 0, 0 },
};

const struct rule_family in_use = { "VMSA in use", rules, RULE_COUNT(rules), 0, 0 };
