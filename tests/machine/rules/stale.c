/* SPDX-License-Identifier: MIT */
/*
 * What ends a right that was taken away, on the vCPU that had it in a translation: INVLPGB with
 * TLBSYNC (APM volume 3) and an update of the RMP by the host (volume 2, 15.36.5). What only may
 * keep it is no rule for hardware, and stands in guest/stale.c.
 */
#include "tests/machine/rules/families.h"

#define WHOLE_VM 0x2cull
#define ALL 0xf00ull
#define CR4_PGE 0x80ull

enum { BY_FLUSH, BY_FLUSH_THERE, BY_HOST, BY_PGE, GIVEN_BACK };

static uint64_t store(uint64_t gpa)
{
	*(volatile uint64_t *)gpa = gpa;
	return 0;
}

static uint64_t flush(uint64_t arg)
{
	(void)arg;
	invlpgb(WHOLE_VM, 0, 0);
	tlbsync();
	return 0;
}

static uint64_t change_pge(uint64_t arg)
{
	uint64_t cr4;

	(void)arg;
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 ^ CR4_PGE) : "memory");
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
	return 0;
}

/* That vCPU, at that level, has the page in a translation, and PVALIDATE takes it away. */
static uint64_t use_and_take(unsigned int cpu, unsigned int vmpl)
{
	uint64_t bad = page_renew(RULE_PAGE) | rule_pvalidate(RULE_PAGE, 0, 1);

	for (unsigned int level = 1; vmpl && level < SNP_VMPL_COUNT; level++)
		bad |= rmpadjust(RULE_PAGE, 0, ALL | level);
	bad |= act(cpu, vmpl, store, RULE_PAGE);
	return bad | rule_pvalidate(RULE_PAGE, 0, 0);
}

static uint64_t ends(const struct rule_case *c, unsigned int cpu)
{
	uint64_t bad = use_and_take(cpu, c->vmpl);

	switch (c->rule->arg) {
	case BY_FLUSH:
		bad |= flush(0);
		break;
	case BY_FLUSH_THERE:
		bad |= act(cpu, c->vmpl, flush, 0);
		break;
	case BY_HOST:
		bad |= page_renew(RULE_PAGE);
		break;
	case BY_PGE:
		bad |= act(cpu, c->vmpl, change_pge, 0);
		break;
	default:
		bad |= rule_pvalidate(RULE_PAGE, 0, 1);
		break;
	}
	return bad ? bad : act(cpu, c->vmpl, store, RULE_PAGE);
}

static uint64_t here(const struct rule_case *c)
{
	return ends(c, 0);
}

static uint64_t there(const struct rule_case *c)
{
	return ends(c, 1);
}

#define FLUSH "APM volume 3, INVLPGB and TLBSYNC"
#define UPDATE "APM volume 2, 15.36.5"
#define PAGING "APM volume 2, 5.5.3"

static const struct rule rules[] = {
	{ "ended by INVLPGB at VMPL0", FLUSH, RULE_CPU, LEVELS_ALL, 1, NEED_INVLPGB, here, BY_FLUSH,
	  NOT_VALIDATED },
	{ "ended by INVLPGB at that level", FLUSH, RULE_CPU, LEVELS_ALL, 1, NEED_INVLPGB, here,
	  BY_FLUSH_THERE, NOT_VALIDATED },
	{ "ended by the host's update", UPDATE, RULE_HOST, LEVELS_ALL, 1, 0, here, BY_HOST,
	  NOT_VALIDATED },
	{ "ended by a change of CR4.PGE at that level", PAGING, RULE_CPU, LEVELS_ALL, 1, 0, here,
	  BY_PGE, NOT_VALIDATED },
	{ "given back by PVALIDATE", "APM volume 3, PVALIDATE", RULE_CPU, LEVELS_ALL, 1, 0, here,
	  GIVEN_BACK, 0 },
	{ "of the second vCPU, ended by INVLPGB of the first", FLUSH, RULE_CPU, LEVELS_ALL, 2,
	  NEED_INVLPGB, there, BY_FLUSH, NOT_VALIDATED },
	{ "of the second vCPU, ended by its own INVLPGB", FLUSH, RULE_CPU, LEVELS_ALL, 2,
	  NEED_INVLPGB, there, BY_FLUSH_THERE, NOT_VALIDATED },
	{ "of the second vCPU, ended by the host's update", UPDATE, RULE_HOST, LEVELS_ALL, 2, 0,
	  there, BY_HOST, NOT_VALIDATED },
	{ "of the second vCPU, given back by PVALIDATE", "APM volume 3, PVALIDATE", RULE_CPU,
	  LEVELS_ALL, 2, 0, there, GIVEN_BACK, 0 },
};

const struct rule_family stale_rights = { "a right taken away", rules, RULE_COUNT(rules), 0, 0 };
