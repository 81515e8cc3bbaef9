/* SPDX-License-Identifier: MIT */
/*
 * The #HV doorbell page (GHCB specification, section 5; APM volume 2, 15.36.16): vector 28, and in
 * PendingEvent, one word of 16 bits: the vector, bit 8 NMI, bit 15 NoFurtherSignal. The guest
 * exchanges it with 0.
 */
#include "tests/machine/rules/families.h"

#define SECTION "GHCB specification, section 5"
#define DOORBELL 0x80000014ull
#define HV_IPI 0x80000015ull
#define PREFERRED 0ull
#define SET 1ull
#define QUERY 2ull
#define CLEAR 3ull
#define VECTOR 0x41ull
#define NMI 0x400ull /* of an ICR: delivery mode 4 */
#define NO_FURTHER_SIGNAL 0x8000ull
#define PAUSES 200000000u
#define PAUSES_SHORT 200000u

static uint8_t pages[ACTOR_CPUS][4096] __attribute__((aligned(4096)));
static uint8_t private_page[4096] __attribute__((aligned(4096)));
static bool shared[ACTOR_CPUS];

static volatile uint16_t *pending(unsigned int cpu)
{
	return shared_view((uint64_t)pages[cpu]);
}

static uint64_t page_gpa(void)
{
	unsigned int cpu = actor_cpu();
	uint64_t gpa = (uint64_t)pages[cpu];

	if (!shared[cpu]) {
		(void)pvalidate(gpa, 0, 0);
		(void)page_make_shared(gpa);
		for (size_t i = 0; i < 4096; i++)
			((volatile uint8_t *)shared_view(gpa))[i] = 0;
		shared[cpu] = true;
	}
	return gpa;
}

static uint64_t doorbell_request(uint64_t what, uint64_t gpa)
{
	return ghcb_exit(DOORBELL, what, gpa).result;
}

static uint64_t start(void)
{
	return doorbell_request(SET, page_gpa()) | !apic_start();
}

static uint64_t end_of_interrupt(void)
{
	return !ghcb_msr_write(0x80b, 0);
}

enum { PRIVATE_PAGE, MISALIGNED, OUTSIDE_RAM, UNKNOWN_REQUEST };

static uint64_t refused(const struct rule_case *c)
{
	switch (c->rule->arg) {
	case PRIVATE_PAGE:
		return doorbell_request(SET, (uint64_t)private_page);
	case MISALIGNED:
		return doorbell_request(SET, page_gpa() + 8);
	case OUTSIDE_RAM:
		return doorbell_request(SET, 0xfffffffff000);
	default:
		return doorbell_request(4, page_gpa());
	}
}

static uint64_t preferred(const struct rule_case *c)
{
	(void)c;
	return doorbell_request(PREFERRED, 0);
}

static uint64_t queried(const struct rule_case *c)
{
	uint64_t bad = doorbell_request(SET, page_gpa());

	(void)c;
	return bad | (ghcb_exit(DOORBELL, QUERY, 0).info_2 ^ page_gpa());
}

static uint64_t cleared(const struct rule_case *c)
{
	uint64_t bad = doorbell_request(SET, page_gpa()) | doorbell_request(CLEAR, 0);

	(void)c;
	return bad | (ghcb_exit(DOORBELL, QUERY, 0).info_2 == page_gpa());
}

static uint64_t set_by_level(uint64_t gpa)
{
	return doorbell_request(SET, gpa);
}

static uint64_t of_lower_level(const struct rule_case *c)
{
	return act(0, c->vmpl, set_by_level, page_gpa());
}

/* Whether that many #HV came on a vCPU before patience ends. */
static bool hv_comes(unsigned int cpu, uint64_t count)
{
	for (unsigned int i = 0; i < PAUSES && actor_hv_count(cpu) < count; i++)
		__asm__ volatile("pause");
	return actor_hv_count(cpu) >= count;
}

static uint64_t send_ipi(uint64_t icr)
{
	return ghcb_exit(HV_IPI, icr, 0).result;
}

static uint64_t take(unsigned int cpu)
{
	return __atomic_exchange_n(pending(cpu), 0, __ATOMIC_SEQ_CST);
}

/* PendingEvent after one #HV; bit 32: no #HV, bit 33: the end of interrupt was refused. */
static uint64_t event_after(unsigned int cpu, uint64_t count)
{
	uint64_t came = hv_comes(cpu, count), event = take(cpu);

	return event | (uint64_t)!came << 32;
}

static uint64_t own_ipi(const struct rule_case *c)
{
	uint64_t bad = start(), count = actor_hv_count(0) + 1, event;

	bad |= send_ipi(c->rule->arg);
	event = event_after(0, count);
	return event | (bad | end_of_interrupt()) << 33;
}

static void wait_a_little(void)
{
	for (unsigned int i = 0; i < PAUSES_SHORT; i++)
		__asm__ volatile("pause");
}

/*
 * While PendingEvent is not taken, a second vector waits, without #HV: bits 0 to 15 are what is
 * then taken, 16 to 31 what comes after, each with #HVs counted in bits 32 and up.
 */
static uint64_t second_waits(const struct rule_case *c)
{
	uint64_t bad = start(), before = actor_hv_count(0), first, second, in_between;

	(void)c;
	bad |= send_ipi(VECTOR);
	bad |= !hv_comes(0, before + 1);
	bad |= end_of_interrupt() | send_ipi(VECTOR + 1);
	wait_a_little();
	in_between = actor_hv_count(0) - before;
	first = take(0);
	bad |= ghcb_exit(0x8000fffd, 0, 0).result; /* an occasion for the host */
	second = event_after(0, before + 2);
	bad |= end_of_interrupt();
	return first | second << 16 | in_between << 48 | bad << 60;
}

static uint64_t from_other(const struct rule_case *c)
{
	uint64_t bad = start(), count = actor_hv_count(0) + 1, event;

	bad |= act(1, 0, send_ipi, c->rule->arg); /* to APIC id 0 */
	event = event_after(0, count);
	return event | (bad | end_of_interrupt()) << 33;
}

static uint64_t start_there(uint64_t arg)
{
	(void)arg;
	return start();
}

static uint64_t eoi_there(uint64_t arg)
{
	(void)arg;
	return end_of_interrupt();
}

static uint64_t to_other(const struct rule_case *c)
{
	uint64_t bad = act(1, 0, start_there, 0), count = actor_hv_count(1) + 1, event;

	bad |= send_ipi(1ull << 32 | c->rule->arg);
	event = event_after(1, count);
	return event | (bad | act(1, 0, eoi_there, 0)) << 33;
}

static const struct rule absent_rules[] = {
	{ "without restricted injection: refused", SECTION, RULE_HOST, LEVELS_ALL, 1, 0,
	  of_lower_level, 0, 2 },
};

static const struct rule rules[] = {
	{ "preferred page", SECTION, RULE_HOST, 0, 1, 0, preferred, 0, 0 },
	{ "set, and queried", SECTION, RULE_HOST, 0, 1, 0, queried, 0, 0 },
	{ "cleared", SECTION, RULE_HOST, 0, 1, 0, cleared, 0, 0 },
	{ "a page that is misaligned: refused", SECTION, RULE_HOST, 0, 1, 0, refused, MISALIGNED,
	  2 },
	{ "a page outside of RAM: refused", SECTION, RULE_HOST, 0, 1, 0, refused, OUTSIDE_RAM, 2 },
	{ "unknown request: refused", SECTION, RULE_HOST, 0, 1, 0, refused, UNKNOWN_REQUEST, 2 },
	{ "of a level without restricted injection: refused", SECTION, RULE_HOST, LEVELS_LOWER, 1,
	  0, of_lower_level, 0, 2 },
	{ "an IPI to itself", SECTION, RULE_HOST, 0, 1, 0, own_ipi, VECTOR,
	  NO_FURTHER_SIGNAL | VECTOR },
	{ "an IPI to itself, another vector", SECTION, RULE_HOST, 0, 1, 0, own_ipi, 0xee,
	  NO_FURTHER_SIGNAL | 0xee },
	{ "an NMI to itself", SECTION, RULE_HOST, 0, 1, 0, own_ipi, NMI,
	  NO_FURTHER_SIGNAL | 0x100 },
	{ "no further signal before the event is taken", "APM volume 2, 15.36.16", RULE_HOST, 0, 1,
	  0, second_waits, 0,
	  NO_FURTHER_SIGNAL | VECTOR | (NO_FURTHER_SIGNAL | (VECTOR + 1)) << 16 | 1ull << 48 },
	{ "an IPI from the second vCPU", SECTION, RULE_HOST, 0, 2, 0, from_other, VECTOR,
	  NO_FURTHER_SIGNAL | VECTOR },
	{ "an IPI to the second vCPU", SECTION, RULE_HOST, 0, 2, 0, to_other, VECTOR,
	  NO_FURTHER_SIGNAL | VECTOR },
	{ "an NMI from the second vCPU", SECTION, RULE_HOST, 0, 2, 0, from_other, NMI,
	  NO_FURTHER_SIGNAL | 0x100 },
	{ "an NMI to the second vCPU", SECTION, RULE_HOST, 0, 2, 0, to_other, NMI,
	  NO_FURTHER_SIGNAL | 0x100 },
};

static const struct rule private_rules[] = {
	{ "a private page: refused", SECTION, RULE_HOST, 0, 1, 0, refused, PRIVATE_PAGE, 2 },
};

const struct rule_family doorbell_absent = { "doorbell", absent_rules, RULE_COUNT(absent_rules), 0,
					     0 };
const struct rule_family doorbell = { "doorbell", rules, RULE_COUNT(rules), 0, NEED_RESTRICTED };
const struct rule_family doorbell_private = { "doorbell", private_rules, RULE_COUNT(private_rules),
					      0, NEED_RESTRICTED };
