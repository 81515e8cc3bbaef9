/* SPDX-License-Identifier: MIT */
/*
 * Alternate injection (APM volume 2, 15.36.16 and table B-4: VINTR_CTRL 0x3b8, EVENTINJ 0x3e0; GHCB
 * specification, extended interrupts): a less privileged level takes what its VMSA says. The vector
 * is 31, the last one that the image has a gate for.
 */
#include "tests/machine/rules/families.h"

#define SECTION "APM volume 2, 15.36.16"
#define GHCB_SECTION "GHCB specification, extended interrupts"
#define CONFIGURE_INT_INJ 0x8000001bull
#define DISABLE_ALT_INJ 0x8000001cull
#define SPECIFIC_EOI 0x8000001dull
#define RUN_VMPL0 0x016ull
#define RAN 0x017ull
#define DONE 0x600dull
#define PATIENCE 200000u /* a processor needs none; where IRET is watched by a host it may */
#define REFUSED 2ull
#define NOT_KNOWN 6ull

#define IRQ (1ull << 8)
#define GIF (1ull << 9)
#define SHADOW (1ull << 10)
#define NMI (1ull << 11)
#define NMI_MASK (1ull << 12)
#define PRIORITY(n) ((uint64_t)(n) << 16)
#define IGNORE_TPR (1ull << 20)
#define NMI_ENABLE (1ull << 26)
#define VECTOR_31 (31ull << 32)
#define BUSY (1ull << 63)
#define NMI_SECTION "APM volume 2, 15.21.10"
#define NMI_PENDING (GIF | NMI_ENABLE | NMI)
#define PENDING (IRQ | GIF | PRIORITY(1) | VECTOR_31)

#define EVENT(type, vector) (1ull << 31 | (uint64_t)(type) << 8 | (vector))
#define WITH_ERROR(code) (1ull << 11 | (uint64_t)(code) << 32)

#define ALTERNATE 0x11ull
#define RFLAGS_IF 0x200ull

/* What the level does once it runs on. */
enum what { GOES_ON, LETS_IN, LOWERS_CR8, RETURNS };

/* What its VMSA has then, and what is asked for. */
struct attempt {
	uint64_t features, vintr, event;
	enum what what;
	bool rflags_if;
	enum { HOW_IT_ENDS, VINTR_AFTER, EVENT_AFTER, MOVED_ON, HOW_IT_RUNS } want;
};

static uint64_t outcome;
static uint8_t doorbell_page[4096] __attribute__((aligned(4096)));
static bool created[SNP_VMPL_COUNT];

/* IRET to the instruction behind it, as the end of a handler. */
static void returns(void)
{
	__asm__ volatile("movq %%rsp, %%rax\n\t"
			 "xorl %%ecx, %%ecx\n\t"
			 "movw %%ss, %%cx\n\t"
			 "pushq %%rcx\n\t"
			 "pushq %%rax\n\t"
			 "pushfq\n\t"
			 "movw %%cs, %%cx\n\t"
			 "pushq %%rcx\n\t"
			 "leaq 1f(%%rip), %%rcx\n\t"
			 "pushq %%rcx\n\t"
			 "iretq\n"
			 "1: nop\n\t"
			 "nop"
			 :
			 :
			 : "rax", "rcx", "memory");
}

static uint64_t stop_and(uint64_t what)
{
	(void)ghcb_msr_call(RUN_VMPL0);
	switch (what) {
	case LETS_IN:
		__asm__ volatile("sti; nop; nop; cli");
		break;
	case LOWERS_CR8:
		__asm__ volatile("sti; nop; mov %0, %%cr8; nop; cli" : : "r"(4ull));
		break;
	case RETURNS:
		returns();
		for (unsigned int i = 0; i < PATIENCE; i++)
			__asm__ volatile("pause");
		break;
	default:
		break;
	}
	return DONE;
}

static uint64_t guarded(uint64_t what)
{
	uint64_t result = actor_try(stop_and, what);

	__atomic_store_n(&outcome, result, __ATOMIC_SEQ_CST);
	return 0;
}

/* The level with alternate injection, for the host, too. */
static uint64_t create(unsigned int vmpl)
{
	struct snp_vmsa *vmsa = actor_vmsa(0, vmpl);
	uint64_t bad;

	if (created[vmpl])
		return 0;
	created[vmpl] = true;
	bad = actor_end(0, vmpl);
	actor_fill_vmsa(0, vmpl);
	vmsa->sev_features = ALTERNATE;
	vmsa->vintr_ctrl = GIF;
	bad |= rmpadjust((uint64_t)vmsa, 0, 1ull << 16 | 1);
	return bad | actor_ap_creation((uint64_t)vmpl << 16 | 1, (uint64_t)vmsa, ALTERNATE);
}

static uint64_t wanted(const struct rule_case *c, const struct attempt *a, uint64_t rip)
{
	const struct snp_vmsa *vmsa = actor_vmsa(0, c->vmpl);

	switch (a->want) {
	case VINTR_AFTER:
		return vmsa->vintr_ctrl;
	case EVENT_AFTER:
		return vmsa->event_inj | vmsa->exit_int_info;
	case MOVED_ON: /* 1: something was executed before it came */
		return outcome == RAISED(31, 0) ? actor_raised_rip_of(0, c->vmpl) != rip : outcome;
	default:
		return outcome;
	}
}

static uint64_t attempt(const struct rule_case *c)
{
	const struct attempt *a = (const struct attempt *)c->rule->arg;
	volatile struct snp_vmsa *vmsa = actor_vmsa(0, c->vmpl);
	uint64_t bad = create(c->vmpl), answer, rip;

	if (bad)
		return bad;
	if (act(0, c->vmpl, guarded, a->what) != ACTOR_DOES_NOT_RUN)
		return ACTOR_DOES_NOT_RUN;
	outcome = 0;
	rip = vmsa->rip;
	vmsa->sev_features = a->features ? a->features : ALTERNATE;
	vmsa->vintr_ctrl = a->vintr ? a->vintr : GIF;
	vmsa->event_inj = a->event;
	vmsa->rflags |= a->rflags_if ? RFLAGS_IF : 0;
	answer = actor_run_level(c->vmpl);
	if (a->want == HOW_IT_RUNS || answer != RAN) {
		vmsa->vintr_ctrl = GIF; /* it has to come to its end for the next one */
		vmsa->event_inj = 0;
		(void)actor_run_level(c->vmpl);
		return (answer != RAN) << 16 | outcome;
	}
	answer = wanted(c, a, rip);
	vmsa->sev_features = ALTERNATE;
	vmsa->vintr_ctrl = GIF;
	vmsa->event_inj = 0;
	return answer;
}

/* Alternate injection and a global flag that is set, unless it says otherwise. */
#define CASE(...) ((uint64_t) & (const struct attempt){ __VA_ARGS__ })
#define ON_LEVELS RULE_CPU, LEVELS_LOWER, 1, 0, attempt

static struct ghcb_answer configure(uint64_t vector)
{
	static bool there;

	if (!there) {
		uint64_t gpa = (uint64_t)doorbell_page;

		(void)pvalidate(gpa, 0, 0);
		(void)page_make_shared(gpa);
		(void)ghcb_exit(0x80000014, 1, gpa);
		there = true;
	}
	return ghcb_exit(CONFIGURE_INT_INJ, vector, 0);
}

/* 0: known where feature 9 is announced, and nowhere else. */
static uint64_t as_announced(const struct rule_case *c)
{
	struct ghcb_answer a = configure(31);

	(void)c;
	if (rule_ghcb_features() >> 9 & 1)
		return a.result;
	return a.result != REFUSED || a.info_2 != NOT_KNOWN;
}

static uint64_t configured(const struct rule_case *c)
{
	return configure(c->rule->arg).result;
}

static uint64_t configure_by_level(uint64_t vector)
{
	return ghcb_exit(CONFIGURE_INT_INJ, vector, 0).result;
}

static uint64_t by_level(const struct rule_case *c)
{
	uint64_t bad = create(c->vmpl);

	return bad ? bad : act(0, c->vmpl, configure_by_level, 31);
}

/* The request in 63:32 of arg; the level, unless arg names one, is the rule's. */
static uint64_t about_level(const struct rule_case *c)
{
	uint64_t bad = create(c->vmpl), info = (uint32_t)c->rule->arg;

	if (!(info >> 16 & 0xff))
		info |= (uint64_t)c->vmpl << 16;
	return bad ? bad : ghcb_exit(0x80000000 | c->rule->arg >> 32, info, 0).result;
}

static uint64_t without_feature(const struct rule_case *c)
{
	(void)c;
	return actor_end(0, 3) | actor_create(0, 3) |
	       (ghcb_exit(c->rule->arg, 3 << 16, 0).result ^ REFUSED);
}

#define ABOUT(code, info) (((code)&0x7fffffff) << 32 | (info))

static const struct rule rules[] = {
	{ "EVENTINJ: an interrupt, whatever IF is", SECTION, ON_LEVELS, CASE(.event = EVENT(0, 31)),
	  RAISED(31, 0) },
	{ "EVENTINJ: an exception with its error code", SECTION, ON_LEVELS,
	  CASE(.event = EVENT(3, 13) | WITH_ERROR(0x1234)), RAISED(13, 0x1234) },
	{ "EVENTINJ: an exception without", SECTION, ON_LEVELS, CASE(.event = EVENT(3, 6)),
	  RAISED(6, 0) },
	{ "EVENTINJ: an NMI", SECTION, ON_LEVELS, CASE(.event = EVENT(2, 2)), RAISED(2, 0) },
	{ "EVENTINJ is injected once", SECTION, ON_LEVELS,
	  CASE(.event = EVENT(0, 31), .want = EVENT_AFTER), 0 },
	{ "EVENTINJ without its valid bit: nothing", SECTION, ON_LEVELS, CASE(.event = 31), DONE },
	{ "V_IRQ waits for IF", SECTION, ON_LEVELS, CASE(.vintr = PENDING), DONE },
	{ "V_IRQ that waits stays in the VMSA", SECTION, ON_LEVELS,
	  CASE(.vintr = PENDING, .want = VINTR_AFTER), PENDING },
	{ "V_IRQ is taken when IF is set", SECTION, ON_LEVELS,
	  CASE(.vintr = PENDING, .what = LETS_IN), RAISED(31, 0) },
	{ "V_IRQ that was taken is clear", SECTION, ON_LEVELS,
	  CASE(.vintr = PENDING, .what = LETS_IN, .want = VINTR_AFTER), PENDING & ~IRQ },
	{ "V_IRQ with the global flag clear: not taken", SECTION, ON_LEVELS,
	  CASE(.vintr = PENDING & ~GIF, .what = LETS_IN), DONE },
	{ "V_IRQ of the class of V_TPR: not taken", SECTION, ON_LEVELS,
	  CASE(.vintr = IRQ | GIF | PRIORITY(4) | VECTOR_31 | 4, .what = LETS_IN), DONE },
	{ "V_IRQ of a class above V_TPR: taken", SECTION, ON_LEVELS,
	  CASE(.vintr = IRQ | GIF | PRIORITY(5) | VECTOR_31 | 4, .what = LETS_IN), RAISED(31, 0) },
	{ "V_IRQ that ignores V_TPR: taken", SECTION, ON_LEVELS,
	  CASE(.vintr = PENDING | IGNORE_TPR | 15, .what = LETS_IN), RAISED(31, 0) },
	{ "V_IRQ is taken when CR8 is lowered", SECTION, ON_LEVELS,
	  CASE(.vintr = IRQ | GIF | PRIORITY(5) | VECTOR_31 | 5, .what = LOWERS_CR8),
	  RAISED(31, 0) },
	{ "V_TPR is CR8 afterwards", SECTION, ON_LEVELS,
	  CASE(.vintr = GIF | 7, .what = LOWERS_CR8, .want = VINTR_AFTER), GIF | 4 },
	{ "V_IRQ is taken before the next instruction", SECTION, ON_LEVELS,
	  CASE(.vintr = PENDING, .rflags_if = true, .want = MOVED_ON), 0 },
	{ "an interrupt shadow: after it", SECTION, ON_LEVELS,
	  CASE(.vintr = PENDING | SHADOW, .rflags_if = true, .want = MOVED_ON), 1 },
	{ "V_NMI is taken, whatever IF is", NMI_SECTION, ON_LEVELS, CASE(.vintr = NMI_PENDING),
	  RAISED(2, 0) },
	{ "V_NMI that was taken is clear, and after IRET not masked", NMI_SECTION, ON_LEVELS,
	  CASE(.vintr = NMI_PENDING, .want = VINTR_AFTER), GIF | NMI_ENABLE },
	{ "V_NMI comes before V_IRQ", NMI_SECTION, ON_LEVELS,
	  CASE(.vintr = NMI_PENDING | PENDING, .rflags_if = true), RAISED(2, 0) },
	{ "V_NMI while one is handled: not taken", NMI_SECTION, ON_LEVELS,
	  CASE(.vintr = NMI_PENDING | NMI_MASK, .what = LETS_IN), DONE },
	{ "V_NMI that waits stays in the VMSA", NMI_SECTION, ON_LEVELS,
	  CASE(.vintr = NMI_PENDING | NMI_MASK, .want = VINTR_AFTER), NMI_PENDING | NMI_MASK },
	{ "V_NMI is taken behind IRET", NMI_SECTION, ON_LEVELS,
	  CASE(.vintr = NMI_PENDING | NMI_MASK, .what = RETURNS), RAISED(2, 0) },
	{ "EVENTINJ of an NMI, with virtual NMI", NMI_SECTION, ON_LEVELS,
	  CASE(.vintr = GIF | NMI_ENABLE, .event = EVENT(2, 2)), RAISED(2, 0) },
	{ "V_NMI_MASK lets interrupts in", NMI_SECTION, ON_LEVELS,
	  CASE(.vintr = PENDING | NMI_ENABLE | NMI_MASK, .what = LETS_IN), RAISED(31, 0) },
	{ "BUSY: it does not run", SECTION, ON_LEVELS,
	  CASE(.vintr = GIF | BUSY, .want = HOW_IT_RUNS), 1ull << 16 | DONE },
	{ "without the feature: EVENTINJ is not looked at", SECTION, ON_LEVELS,
	  CASE(.features = 1, .event = EVENT(0, 31)), DONE },
	{ "without the feature: nor is V_IRQ", SECTION, ON_LEVELS,
	  CASE(.features = 1, .vintr = PENDING, .what = LETS_IN), DONE },
	{ "without the feature: nor is BUSY", SECTION, ON_LEVELS,
	  CASE(.features = 1, .vintr = BUSY), DONE },
	{ "configure interrupt injection", GHCB_SECTION, RULE_HOST, 0, 1, 0, configured, 0x31, 0 },
	{ "configure interrupt injection, no such vector: refused", GHCB_SECTION, RULE_HOST, 0, 1,
	  0, configured, 0x100, REFUSED },
	{ "configure interrupt injection, by another level: refused", GHCB_SECTION, RULE_HOST,
	  LEVELS_LOWER, 1, 0, by_level, 0, REFUSED },
	{ "specific EOI of nothing", GHCB_SECTION, RULE_HOST, LEVELS_LOWER, 1, 0, about_level,
	  ABOUT(SPECIFIC_EOI, 0x41), 0 },
	{ "specific EOI, a reserved bit: refused", GHCB_SECTION, RULE_HOST, LEVELS_LOWER, 1, 0,
	  about_level, ABOUT(SPECIFIC_EOI, 0x141), REFUSED },
	{ "specific EOI, no such level: refused", GHCB_SECTION, RULE_HOST, LEVEL(1), 1, 0,
	  about_level, ABOUT(SPECIFIC_EOI, 4 << 16), REFUSED },
	{ "specific EOI, a level without: refused", GHCB_SECTION, RULE_HOST, 0, 1, NEED_LEVELS,
	  without_feature, SPECIFIC_EOI, 0 },
	{ "disable alternate injection, a reserved bit: refused", GHCB_SECTION, RULE_HOST,
	  LEVELS_LOWER, 1, 0, about_level, ABOUT(DISABLE_ALT_INJ, 4), REFUSED },
	{ "disable alternate injection", GHCB_SECTION, RULE_HOST, LEVEL(1) | LEVEL(2), 1, 0,
	  about_level, ABOUT(DISABLE_ALT_INJ, 0x4001), 0 },
	{ "disable alternate injection twice: refused", GHCB_SECTION, RULE_HOST,
	  LEVEL(1) | LEVEL(2), 1, 0, about_level, ABOUT(DISABLE_ALT_INJ, 0x4001), REFUSED },
	{ "disable alternate injection, a level without: refused", GHCB_SECTION, RULE_HOST, 0, 1,
	  NEED_LEVELS, without_feature, DISABLE_ALT_INJ, 0 },
};

static const struct rule announced_rules[] = {
	{ "configure interrupt injection: as announced", GHCB_SECTION, RULE_HOST, 0, 1, 0,
	  as_announced, 0, 0 },
};

const struct rule_family alternate_announced = { "alternate injection", announced_rules,
						 RULE_COUNT(announced_rules), 0, NEED_RESTRICTED };
const struct rule_family alternate = { "alternate injection", rules, RULE_COUNT(rules), 0,
				       NEED_RESTRICTED | NEED_ALTERNATE };
