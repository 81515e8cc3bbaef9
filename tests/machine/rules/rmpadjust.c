/* SPDX-License-Identifier: MIT */
/*
 * RMPADJUST (APM volume 3): results 1 FAIL_INPUT, 2 FAIL_PERMISSION, 3 FAIL_INUSE,
 * 6 FAIL_SIZEMISMATCH. That the VMSA operand is ignored but at VMPL0: also the description of
 * MSVC's __rmpadjust. The variant is the size of the page.
 */
#include "tests/machine/rules/families.h"

#define SECTION "APM volume 3, RMPADJUST"
#define READ 0x100ull
#define ALL 0xf00ull
#define VMSA_BIT (1ull << 16)

/* Operands of the RMPADJUST that is tried. */
enum operand {
	TARGET_ZERO, /* VMPL0 */
	TARGET_OWN,  /* the caller's level */
	GIVES,	     /* all rights to the next level */
	LACKS,	     /* a right that the caller lacks */
	TAKES,	     /* all rights from VMPL3 */
	TARGET_FOUR, /* VMPL4 */
	TARGET_255,  /* VMPL255 */
	SIZE_TWO,    /* page size 2 */
	OTHER_SIZE,  /* 2 MiB on 4 KiB entries, or 4 KiB in a 2 MiB entry */
	MISALIGNED,  /* 2 MiB at a page of 4 KiB that starts none */
	WITH_VMSA,   /* VMSA bit */
	NOT_VALID,   /* a page that is not validated */
	NOT_MAPPED,  /* a linear address without a page */
};

struct adjust {
	uint64_t va, size, rdx;
};

static uint64_t page_of(const struct rule_case *c)
{
	return c->variant ? RULE_LARGE : RULE_PAGE;
}

static struct adjust operands(const struct rule_case *c)
{
	struct adjust a = { page_of(c), c->variant, ALL | 3 };

	switch ((enum operand)c->rule->arg) {
	case TARGET_ZERO:
		a.rdx = READ;
		break;
	case TARGET_OWN:
		a.rdx = READ | c->vmpl;
		break;
	case GIVES:
		a.rdx = ALL | (c->vmpl + 1);
		break;
	case TAKES:
		a.rdx = 3;
		break;
	case TARGET_FOUR:
		a.rdx = READ | 4;
		break;
	case TARGET_255:
		a.rdx = READ | 255;
		break;
	case SIZE_TWO:
		a.size = 2;
		break;
	case OTHER_SIZE:
		a.size = !c->variant;
		break;
	case MISALIGNED:
		a.va += 0x1000;
		a.size = 1;
		break;
	case WITH_VMSA:
		a.rdx = VMSA_BIT | READ | 3;
		break;
	case NOT_MAPPED:
		a.va = 1ull << 40;
		break;
	default:
		break;
	}
	return a;
}

static uint64_t adjust(uint64_t arg)
{
	const struct adjust *a = (const struct adjust *)arg;

	return rmpadjust(a->va, a->size, a->rdx);
}

/* The page, validated unless that is the point, with the rights of the caller as the rule wants. */
static uint64_t prepare(const struct rule_case *c)
{
	uint64_t page = page_of(c), rights = c->rule->arg == LACKS ? READ : ALL;
	uint64_t bad = c->variant ? large_page_renew() : page_renew(page);

	if (bad || c->rule->arg == NOT_VALID)
		return bad;
	bad = rule_pvalidate(page, c->variant, 1);
	for (unsigned int vmpl = 1; vmpl < SNP_VMPL_COUNT; vmpl++)
		bad |= rmpadjust(page, c->variant, (vmpl == c->vmpl ? rights : ALL) | vmpl);
	return bad;
}

static uint64_t try_adjust(const struct rule_case *c)
{
	static struct adjust a;
	uint64_t bad = prepare(c);

	a = operands(c);
	return bad ? bad << 32 : act(0, c->vmpl, adjust, (uint64_t)&a);
}

/* The same by the second vCPU. */
static uint64_t try_adjust_there(const struct rule_case *c)
{
	static struct adjust a;
	uint64_t bad = prepare(c);

	a = operands(c);
	return bad ? bad << 32 : act(1, c->vmpl, adjust, (uint64_t)&a);
}

static void user_adjust(void)
{
	(void)rmpadjust(RULE_PAGE, 0, READ | 3);
}

static uint64_t adjust_user(uint64_t arg)
{
	(void)arg;
	return actor_try_user(user_adjust);
}

static uint64_t try_user(const struct rule_case *c)
{
	return act(0, c->vmpl, adjust_user, 0);
}

/* Levels that have one below. */
#define LEVELS_ABOVE (LEVEL(0) | LEVEL(1) | LEVEL(2))

static const struct rule rules[] = {
	{ "rights of VMPL0: refused", SECTION, RULE_CPU, LEVELS_ALL, 1, 0, try_adjust, TARGET_ZERO,
	  2 },
	{ "its own rights: refused", SECTION, RULE_CPU, LEVELS_LOWER, 1, 0, try_adjust, TARGET_OWN,
	  2 },
	{ "all rights to the next level", SECTION, RULE_CPU, LEVELS_ABOVE, 1, NEED_LEVELS,
	  try_adjust, GIVES, 0 },
	{ "a right that it lacks: refused", SECTION, RULE_CPU, LEVEL(1) | LEVEL(2), 1, 0,
	  try_adjust, LACKS, 2 },
	{ "all rights from VMPL3", SECTION, RULE_CPU, LEVELS_ABOVE, 1, NEED_LEVELS, try_adjust,
	  TAKES, 0 },
	{ "rights of VMPL4: bad input", SECTION, RULE_CPU, LEVELS_ALL, 1, 0, try_adjust,
	  TARGET_FOUR, 1 },
	{ "rights of VMPL255: bad input", SECTION, RULE_CPU, LEVEL(0), 1, 0, try_adjust, TARGET_255,
	  1 },
	{ "page size 2: bad input", SECTION, RULE_CPU, LEVELS_ABOVE, 1, 0, try_adjust, SIZE_TWO,
	  1 },
	{ "a large page that starts at none: bad input", SECTION, RULE_CPU, LEVELS_ABOVE, 1, 0,
	  try_adjust, MISALIGNED, 1 },
	{ "a page that is not validated: #VC", "APM volume 2, 15.36.6", RULE_CPU, LEVELS_ABOVE, 1,
	  0, try_adjust, NOT_VALID, NOT_VALIDATED },
	{ "an address without a page: #PF", SECTION, RULE_CPU, LEVELS_ABOVE, 1, 0, try_adjust,
	  NOT_MAPPED, RAISED(14, 0) },
	{ "the second vCPU: rights of VMPL0", SECTION, RULE_CPU, LEVELS_ALL, 2, 0, try_adjust_there,
	  TARGET_ZERO, 2 },
	{ "the second vCPU: all rights to the next level", SECTION, RULE_CPU, LEVELS_ABOVE, 2,
	  NEED_LEVELS, try_adjust_there, GIVES, 0 },
};

static const struct rule small_rules[] = {
	{ "2 MiB on an entry of 4 KiB: size mismatch", SECTION, RULE_CPU, LEVELS_ABOVE, 1, 0,
	  try_adjust, OTHER_SIZE, 6 },
	{ "the VMSA bit counts for VMPL0 and is ignored below", SECTION, RULE_CPU, LEVELS_ABOVE, 1,
	  NEED_LEVELS, try_adjust, WITH_VMSA, 0 },
	{ "in ring 3: #GP", SECTION, RULE_CPU, LEVELS_ALL, 1, 0, try_user, 0, RAISED_GP },
};

static const struct rule large_rules[] = {
	{ "4 KiB in an entry of 2 MiB: the host splits it", "APM volume 2, 15.36.11", RULE_HOST,
	  LEVELS_ABOVE, 1, 0, try_adjust, OTHER_SIZE, 0 },
	{ "a VMSA of 2 MiB: bad input", SECTION, RULE_CPU, LEVEL(0), 1, 0, try_adjust, WITH_VMSA,
	  1 },
};

const struct rule_family rmpadjust_4k = { "RMPADJUST of 4 KiB", rules, RULE_COUNT(rules), 0, 0 };
const struct rule_family rmpadjust_4k_only = { "RMPADJUST of 4 KiB", small_rules,
					       RULE_COUNT(small_rules), 0, 0 };
const struct rule_family rmpadjust_2m = { "RMPADJUST of 2 MiB", rules, RULE_COUNT(rules), 1,
					  NEED_LARGE };
const struct rule_family rmpadjust_2m_only = { "RMPADJUST of 2 MiB", large_rules,
					       RULE_COUNT(large_rules), 1, NEED_LARGE };
