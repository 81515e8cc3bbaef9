/* SPDX-License-Identifier: MIT */
/*
 * PVALIDATE (APM volume 3): results 1 FAIL_INPUT, 6 FAIL_SIZEMISMATCH; CF, here bit 8, says that
 * nothing changed. Only for VMPL0 and CPL 0. The variant is the size of the page.
 */
#include "tests/machine/rules/families.h"

#define SECTION "APM volume 3, PVALIDATE"
#define CARRY 0x100ull

enum step {
	VALIDATE,
	VALIDATE_AGAIN,
	RESCIND,
	RESCIND_AGAIN,
	SIZE_TWO,
	OTHER_SIZE,
	MISALIGNED,
	NOT_MAPPED,
};

struct operands {
	uint64_t va, size, validate;
};

static uint64_t page_of(const struct rule_case *c)
{
	return c->variant ? RULE_LARGE : RULE_PAGE;
}

static uint64_t run_pvalidate(uint64_t arg)
{
	const struct operands *o = (const struct operands *)arg;

	return rule_pvalidate(o->va, o->size, o->validate);
}

static struct operands operands(const struct rule_case *c)
{
	struct operands o = { page_of(c), c->variant, 1 };

	switch ((enum step)c->rule->arg) {
	case RESCIND:
	case RESCIND_AGAIN:
		o.validate = 0;
		break;
	case SIZE_TWO:
		o.size = 2;
		break;
	case OTHER_SIZE:
		o.size = !c->variant;
		break;
	case MISALIGNED:
		o.va += 0x1000;
		o.size = 1;
		break;
	case NOT_MAPPED:
		o.va = 1ull << 40;
		break;
	default:
		break;
	}
	return o;
}

static uint64_t prepare(const struct rule_case *c)
{
	uint64_t bad = c->variant ? large_page_renew() : page_renew(RULE_PAGE);

	if (c->rule->arg == VALIDATE_AGAIN || c->rule->arg == RESCIND)
		bad |= rule_pvalidate(page_of(c), c->variant, 1);
	return bad;
}

static uint64_t by_cpu(const struct rule_case *c, unsigned int cpu)
{
	static struct operands o;
	uint64_t bad = prepare(c);

	o = operands(c);
	return bad ? bad << 32 : act(cpu, c->vmpl, run_pvalidate, (uint64_t)&o);
}

static uint64_t here(const struct rule_case *c)
{
	return by_cpu(c, 0);
}

static uint64_t there(const struct rule_case *c)
{
	return by_cpu(c, 1);
}

static void user_pvalidate(void)
{
	(void)pvalidate(RULE_PAGE, 0, 1);
}

static uint64_t pvalidate_user(uint64_t arg)
{
	(void)arg;
	return actor_try_user(user_pvalidate);
}

static uint64_t in_user(const struct rule_case *c)
{
	return act(0, c->vmpl, pvalidate_user, 0);
}

/* One vCPU validates, the other finds it done, and the other way round: all four in one. */
static uint64_t both(const struct rule_case *c)
{
	static struct operands on, off;
	uint64_t bad = prepare(c), first, second, third;

	on = (struct operands){ page_of(c), c->variant, 1 };
	off = (struct operands){ page_of(c), c->variant, 0 };
	first = act(1, 0, run_pvalidate, (uint64_t)&on);
	second = run_pvalidate((uint64_t)&on);
	third = act(1, 0, run_pvalidate, (uint64_t)&off);
	return bad | first | second << 16 | third << 32;
}

static const struct rule rules[] = {
	{ "a new page", SECTION, RULE_CPU, 0, 1, 0, here, VALIDATE, 0 },
	{ "a page that is valid: CF", SECTION, RULE_CPU, 0, 1, 0, here, VALIDATE_AGAIN, CARRY },
	{ "takes a page back", SECTION, RULE_CPU, 0, 1, 0, here, RESCIND, 0 },
	{ "takes a new page back: CF", SECTION, RULE_CPU, 0, 1, 0, here, RESCIND_AGAIN, CARRY },
	{ "page size 2: bad input", SECTION, RULE_CPU, 0, 1, 0, here, SIZE_TWO, 1 },
	{ "a large page that starts at none: bad input", SECTION, RULE_CPU, 0, 1, 0, here,
	  MISALIGNED, 1 },
	{ "an address without a page: #PF", SECTION, RULE_CPU, 0, 1, 0, here, NOT_MAPPED,
	  RAISED(14, 0) },
	{ "for VMPL0 alone: #GP", SECTION, RULE_CPU, LEVELS_LOWER, 1, 0, here, VALIDATE,
	  RAISED_GP },
	{ "taking back is for VMPL0 alone: #GP", SECTION, RULE_CPU, LEVELS_LOWER, 1, 0, here,
	  RESCIND, RAISED_GP },
	{ "in ring 3: #GP", SECTION, RULE_CPU, LEVELS_ALL, 1, 0, in_user, 0, RAISED_GP },
	{ "the second vCPU, a new page", SECTION, RULE_CPU, 0, 2, 0, there, VALIDATE, 0 },
	{ "the second vCPU, a page that is valid: CF", SECTION, RULE_CPU, 0, 2, 0, there,
	  VALIDATE_AGAIN, CARRY },
	{ "the second vCPU below VMPL0: #GP", SECTION, RULE_CPU, LEVELS_LOWER, 2, 0, there,
	  VALIDATE, RAISED_GP },
	{ "one vCPU sees what the other did", SECTION, RULE_CPU, 0, 2, 0, both, 0, CARRY << 16 },
};

static const struct rule small_rules[] = {
	{ "2 MiB on an entry of 4 KiB: size mismatch", SECTION, RULE_CPU, 0, 1, 0, here, OTHER_SIZE,
	  6 },
};

static const struct rule large_rules[] = {
	{ "4 KiB in an entry of 2 MiB: the host splits it", "APM volume 2, 15.36.11", RULE_HOST, 0,
	  1, 0, here, OTHER_SIZE, 0 },
};

const struct rule_family pvalidate_4k = { "PVALIDATE of 4 KiB", rules, RULE_COUNT(rules), 0, 0 };
const struct rule_family pvalidate_4k_only = { "PVALIDATE of 4 KiB", small_rules,
					       RULE_COUNT(small_rules), 0, 0 };
const struct rule_family pvalidate_2m = { "PVALIDATE of 2 MiB", rules, RULE_COUNT(rules), 1,
					  NEED_LARGE };
const struct rule_family pvalidate_2m_only = { "PVALIDATE of 2 MiB", large_rules,
					       RULE_COUNT(large_rules), 1, NEED_LARGE };
