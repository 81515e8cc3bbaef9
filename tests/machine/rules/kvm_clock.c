/* SPDX-License-Identifier: MIT */
/*
 * The clock that KVM offers to its guests: MSRs, places and their structures are those of Linux,
 * Documentation/virt/kvm/x86/msr.rst and cpuid.rst; what becomes of a place that is none is read
 * from KVM itself (kvm_write_wall_clock() and kvm_write_system_time() in arch/x86/kvm/x86.c,
 * kvm_gpc_is_valid_len() in virt/kvm/pfncache.c): the MSR takes any value, and the host writes what
 * is shared RAM and nothing else.
 */
#include "tests/machine/rules/families.h"

#define SECTION "Linux, virt/kvm/x86/msr.rst"
#define LEAVES "Linux, virt/kvm/x86/cpuid.rst"
#define SOURCE "Linux, kvm/x86.c and pfncache.c"

#define WALL_CLOCK 0x4b564d00u
#define SYSTEM_TIME 0x4b564d01u
#define OLD_WALL_CLOCK 0x11u
#define OLD_SYSTEM_TIME 0x12u
#define ENABLED 1ull
#define FEATURES_LEAF 0x40000001u
#define WORDS 1024u /* of a page */
#define PATTERN 0x5a5a5a5au
#define SECOND_PAGE (RULE_PAGE + 0x1000)
#define HYPERVISOR 0x2000000000ull /* the machine's own memory; no RAM of a guest elsewhere */
#define C_BIT_47 (1ull << 47)
#define ROUNDS 100u

enum offset { VERSION = 0, SECONDS = 1, NANOSECONDS = 2, MULTIPLIER = 6, SHIFT_FLAGS = 7 };

static volatile uint32_t *shared_words(uint64_t gpa)
{
	return shared_view(gpa);
}

static void fill(volatile uint32_t *words, uint32_t value)
{
	for (unsigned int i = 0; i < WORDS; i++)
		words[i] = value;
}

/* 0, or the first word of [first, end) that is another, from 1 on. */
static uint64_t differs(const volatile uint32_t *words, unsigned int first, unsigned int end)
{
	for (unsigned int i = first; i < end; i++)
		if (words[i] != PATTERN)
			return 1 + i;
	return 0;
}

static void share(uint64_t gpa, uint32_t value)
{
	(void)page_make_shared(gpa);
	fill(shared_words(gpa), value);
}

static uint64_t make_private(uint64_t gpa)
{
	uint64_t bad = page_renew(gpa) | rule_pvalidate(gpa, 0, 1);

	if (bad == 0)
		fill((volatile uint32_t *)gpa, PATTERN);
	return bad;
}

struct access {
	uint32_t msr;
	uint64_t value;
};

static uint64_t write_msr(uint64_t arg)
{
	const struct access *a = (const struct access *)arg;

	return !ghcb_msr_write(a->msr, a->value);
}

static uint64_t read_msr(uint64_t arg)
{
	uint64_t value;

	return ghcb_msr_read((uint32_t)arg, &value) ? value : ~0ull;
}

/* By who acts; 0: the host took it. */
static uint64_t set(const struct rule_case *c, uint32_t msr, uint64_t value)
{
	static struct access a;

	a = (struct access){ msr, value };
	return act(c->rule->vcpus > 1, c->vmpl, write_msr, (uint64_t)&a);
}

/* The structure: an even version, a multiplier, and the flag that CPUID bit 24 promises. */
static uint64_t time_problem(const volatile uint32_t *words)
{
	uint64_t bad = (words[VERSION] & 1) || words[VERSION] == 0;
	bool stable = rule_cpuid(FEATURES_LEAF, 0) >> 24 & 1;

	bad |= (uint64_t)(words[MULTIPLIER] == 0) << 1;
	bad |= (uint64_t)(stable && !(words[SHIFT_FLAGS] >> 8 & 1)) << 2;
	return bad | (uint64_t)(words[SHIFT_FLAGS] >> 16 != 0) << 3;
}

static uint64_t system_time(const struct rule_case *c)
{
	uint64_t bad;

	share(RULE_PAGE, 0);
	bad = set(c, SYSTEM_TIME, RULE_PAGE | ENABLED);
	return bad | time_problem(shared_words(RULE_PAGE)) << 4;
}

static uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return low | (uint64_t)high << 32;
}

/* Nanoseconds, as a guest computes them. */
static uint64_t now(const volatile uint32_t *words)
{
	const volatile uint64_t *longs = (const volatile uint64_t *)words;
	int8_t shift = (int8_t)words[SHIFT_FLAGS];
	uint64_t delta = tsc() - longs[1];

	delta = shift >= 0 ? delta << shift : delta >> -shift;
	return longs[2] + (uint64_t)((unsigned __int128)delta * words[MULTIPLIER] >> 32);
}

/* The first vCPU's time lies between two of the one that acts. */
static uint64_t goes_on(const struct rule_case *c)
{
	struct rule_case first = *c;
	struct rule one = *c->rule;
	uint64_t bad, before, between, after;

	one.vcpus = 1;
	first.rule = &one;
	share(RULE_PAGE, 0);
	share(SECOND_PAGE, 0);
	bad = set(c, SYSTEM_TIME, RULE_PAGE | ENABLED);
	bad |= set(&first, SYSTEM_TIME, SECOND_PAGE | ENABLED);
	before = now(shared_words(RULE_PAGE));
	between = now(shared_words(SECOND_PAGE));
	after = now(shared_words(RULE_PAGE));
	/* Of different moments; a second is far more than the two clocks may be apart. */
	return bad | (uint64_t)(after <= before) << 1 |
	       (uint64_t)(between + 1000000000 < before || between > after + 1000000000) << 2;
}

/* After 2023 and before 2100, when it overflows. */
static uint64_t wall_clock(const struct rule_case *c)
{
	volatile uint32_t *words = shared_words(RULE_PAGE);
	uint64_t bad;

	share(RULE_PAGE, PATTERN);
	words[VERSION] = 0;
	bad = set(c, WALL_CLOCK, RULE_PAGE);
	bad |= (uint64_t)((words[VERSION] & 1) || words[VERSION] == 0) << 1;
	bad |= (uint64_t)(words[SECONDS] < 1700000000u || words[SECONDS] > 4102444800u) << 2;
	bad |= (uint64_t)(words[NANOSECONDS] >= 1000000000u) << 3;
	return bad | differs(words, 3, WORDS) << 4;
}

/* Even, and another: who reads meanwhile sees that there is something new. */
static uint64_t version_moves(const struct rule_case *c)
{
	volatile uint32_t *version = shared_words(RULE_PAGE);
	uint32_t msr = (uint32_t)c->rule->arg, first;
	uint64_t value = RULE_PAGE | (msr == SYSTEM_TIME ? ENABLED : 0), bad;

	share(RULE_PAGE, 0);
	*version = 7;
	bad = set(c, msr, value);
	first = *version;
	bad |= set(c, msr, value);
	return bad | (first & 1) << 1 | (*version & 1) << 2 | (uint64_t)(first == *version) << 3 |
	       (uint64_t)(first <= 7) << 4;
}

static uint64_t reads_back(const struct rule_case *c)
{
	uint32_t msr = (uint32_t)c->rule->arg;
	uint64_t value = RULE_PAGE + 0x40, bad;

	share(RULE_PAGE, 0);
	bad = set(c, msr, value);
	return bad | (act(c->rule->vcpus > 1, c->vmpl, read_msr, msr) ^ value);
}

/* The first vCPU wrote it. */
static uint64_t wall_clock_of_all(const struct rule_case *c)
{
	uint64_t refused = !ghcb_msr_write(WALL_CLOCK, RULE_PAGE + 0x80);

	return refused | (act(1, c->vmpl, read_msr, WALL_CLOCK) ^ (RULE_PAGE + 0x80));
}

static uint64_t time_of_level(const struct rule_case *c)
{
	uint64_t refused = !ghcb_msr_write(SYSTEM_TIME, RULE_PAGE);
	uint64_t bad = set(c, SYSTEM_TIME, SECOND_PAGE);

	return refused | bad | (read_msr(SYSTEM_TIME) ^ RULE_PAGE);
}

static uint64_t disabled(const struct rule_case *c)
{
	uint64_t bad;

	share(RULE_PAGE, PATTERN);
	bad = set(c, SYSTEM_TIME, RULE_PAGE);
	return bad | differs(shared_words(RULE_PAGE), 0, WORDS);
}

/* Both clocks in a place; both pages hold the pattern afterwards. */
static uint64_t try_place(const struct rule_case *c, uint64_t place)
{
	uint64_t bad = set(c, WALL_CLOCK, place);

	return bad | set(c, SYSTEM_TIME, place | ENABLED);
}

static uint64_t private_place(const struct rule_case *c)
{
	uint64_t bad = make_private(RULE_PAGE);

	if (bad == 0)
		bad = try_place(c, RULE_PAGE) | differs((volatile uint32_t *)RULE_PAGE, 0, WORDS)
							<< 1;
	return bad;
}

/* It was shared when it was named: what the host still writes does not reach the private side. */
static uint64_t private_later(const struct rule_case *c)
{
	uint64_t bad;

	share(RULE_PAGE, 0);
	bad = set(c, SYSTEM_TIME, RULE_PAGE | ENABLED) | make_private(RULE_PAGE);
	share(SECOND_PAGE, 0);
	bad |= !ghcb_msr_write(SYSTEM_TIME, SECOND_PAGE | ENABLED);
	return bad | differs((volatile uint32_t *)RULE_PAGE, 0, WORDS) << 1;
}

static uint64_t crosses_page(const struct rule_case *c)
{
	uint64_t bad;

	share(RULE_PAGE, PATTERN);
	share(SECOND_PAGE, PATTERN);
	bad = set(c, SYSTEM_TIME, (SECOND_PAGE - 16) | ENABLED);
	return bad | differs(shared_words(RULE_PAGE), 0, WORDS) << 1 |
	       differs(shared_words(SECOND_PAGE), 0, WORDS) << 16;
}

/* A misuse: what is written stays within 32 bytes from the address on. */
static uint64_t unaligned(const struct rule_case *c)
{
	const volatile uint8_t *bytes = shared_view(RULE_PAGE);
	uint64_t bad;

	share(RULE_PAGE, PATTERN);
	bad = set(c, SYSTEM_TIME, (RULE_PAGE + 66) | ENABLED);
	for (unsigned int i = 0; i < 4096; i++)
		if ((i < 66 || i >= 66 + 32) && bytes[i] != (PATTERN & 0xff))
			bad |= 1 + i;
	return bad;
}

/*
 * No RAM: the host writes nothing, also not to what is there without the bit, and the clock works
 * as before.
 */
static uint64_t no_place(const struct rule_case *c)
{
	uint64_t bad;

	share(RULE_PAGE, PATTERN);
	bad = try_place(c, c->rule->arg) | differs(shared_words(RULE_PAGE), 0, WORDS) << 1;
	return bad | system_time(c) << 32;
}

/* KVM takes 0 for none. */
static uint64_t wall_clock_at_zero(const struct rule_case *c)
{
	uint64_t bad;

	share(0, PATTERN);
	bad = set(c, WALL_CLOCK, 0);
	return bad | differs(shared_words(0), 0, WORDS) << 1;
}

static uint64_t moves(const struct rule_case *c)
{
	uint64_t bad = system_time(c);

	fill(shared_words(RULE_PAGE), PATTERN);
	share(SECOND_PAGE, 0);
	bad |= set(c, SYSTEM_TIME, SECOND_PAGE | ENABLED);
	return bad | differs(shared_words(RULE_PAGE), 0, WORDS) << 8 |
	       time_problem(shared_words(SECOND_PAGE)) << 24;
}

/* MSRs of features that CPUID does not have: all refused. */
static uint64_t other_msrs(const struct rule_case *c)
{
	static const struct {
		uint32_t msr;
		unsigned int bit;
	} others[] = { { OLD_WALL_CLOCK, 0 }, { OLD_SYSTEM_TIME, 0 }, { 0x4b564d02, 4 },
		       { 0x4b564d03, 5 },     { 0x4b564d04, 6 },      { 0x4b564d05, 12 } };
	uint32_t features = rule_cpuid(FEATURES_LEAF, 0);
	uint64_t taken = 0;

	share(RULE_PAGE, 0);
	for (unsigned int i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!(features >> others[i].bit & 1) && set(c, others[i].msr, RULE_PAGE) == 0)
			taken |= 1ull << i;
	return taken;
}

static uint64_t names_again(uint64_t arg)
{
	uint64_t bad = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		bad |= !ghcb_msr_write(SYSTEM_TIME, arg | ENABLED);
		bad |= !ghcb_msr_write(WALL_CLOCK, arg);
	}
	return bad;
}

/* The second vCPU names the page, again and again, while the first changes what it is. */
static uint64_t race(const struct rule_case *c)
{
	uint64_t bad = 0, rounds = 0;

	act_begin(1, c->vmpl, names_again, RULE_PAGE);
	while (!act_is_done(1) && rounds++ < ROUNDS) {
		bad |= make_private(RULE_PAGE);
		bad |= differs((volatile uint32_t *)RULE_PAGE, 0, WORDS);
		share(RULE_PAGE, 0);
	}
	return bad | act_finish(1) << 16;
}

static const struct rule rules[] = {
	{ "system time", SECTION, RULE_HOST, LEVELS_ALL, 1, 0, system_time, 0, 0 },
	{ "system time, second vCPU", SECTION, RULE_HOST, LEVELS_ALL, 2, 0, system_time, 0, 0 },
	{ "it goes on", SECTION, RULE_HOST, LEVELS_ALL, 1, 0, goes_on, 0, 0 },
	{ "it is one for all vCPUs", SECTION, RULE_HOST, LEVEL(0), 2, 0, goes_on, 0, 0 },
	{ "wall clock", SECTION, RULE_HOST, LEVELS_ALL, 1, 0, wall_clock, 0, 0 },
	{ "wall clock: its version moves on", SOURCE, RULE_HOST, 0, 1, 0, version_moves, WALL_CLOCK,
	  0 },
	{ "system time: its version moves on", SOURCE, RULE_HOST, 0, 1, 0, version_moves,
	  SYSTEM_TIME, 0 },
	{ "wall clock: the MSR reads as it was written", SOURCE, RULE_HOST, LEVELS_ALL, 1, 0,
	  reads_back, WALL_CLOCK, 0 },
	{ "system time: the MSR reads as it was written", SOURCE, RULE_HOST, LEVELS_ALL, 1, 0,
	  reads_back, SYSTEM_TIME, 0 },
	{ "wall clock: one MSR for all vCPUs", SECTION, RULE_HOST, LEVEL(0), 2, 0,
	  wall_clock_of_all, 0, 0 },
	{ "system time: the MSR is of its level", SOURCE, RULE_HOST, LEVELS_LOWER, 1, 0,
	  time_of_level, 0, 0 },
	{ "system time that is not enabled: nothing is written", SECTION, RULE_HOST, LEVELS_ALL, 1,
	  0, disabled, 0, 0 },
	{ "system time: another place", SECTION, RULE_HOST, LEVELS_ALL, 1, 0, moves, 0, 0 },
	{ "a private place: nothing is written", SECTION, RULE_HOST, LEVELS_ALL, 1, 0,
	  private_place, 0, 0 },
	{ "a place that becomes private: nothing is written any more", SECTION, RULE_HOST,
	  LEVELS_ALL, 1, 0, private_later, 0, 0 },
	{ "a place that goes beyond its page: nothing is written", SOURCE, RULE_HOST, LEVELS_ALL, 1,
	  0, crosses_page, 0, 0 },
	{ "a place that is not aligned: no other is touched", SOURCE, RULE_HOST, LEVELS_ALL, 1, 0,
	  unaligned, 0, 0 },
	{ "a place beyond the RAM: nothing is written", SOURCE, RULE_HOST, LEVELS_ALL, 1, 0,
	  no_place, 1ull << 40, 0 },
	{ "a place at the end of all addresses: nothing is written", SOURCE, RULE_HOST, LEVELS_ALL,
	  1, 0, no_place, ~0ull - 0xfff, 0 },
	{ "a place in the hypervisor: nothing is written", SOURCE, RULE_HOST, LEVELS_ALL, 1, 0,
	  no_place, HYPERVISOR + 0x1000, 0 },
	{ "a place in a device: nothing is written", SOURCE, RULE_HOST, LEVELS_ALL, 1, 0, no_place,
	  0xfee00000, 0 },
	{ "a place with a bit beyond the RAM: nothing is written", SOURCE, RULE_HOST, LEVELS_ALL, 1,
	  0, no_place, C_BIT_47 | RULE_PAGE, 0 },
	{ "wall clock at address 0: none", SOURCE, RULE_HOST, 0, 1, 0, wall_clock_at_zero, 0, 0 },
	{ "MSRs of features that CPUID has not: refused", LEAVES, RULE_HOST, LEVELS_ALL, 1, 0,
	  other_msrs, 0, 0 },
	{ "a place that changes sides meanwhile", SOURCE, RULE_HOST, LEVEL(0) | LEVEL(2), 2, 0,
	  race, 0, 0 },
};

const struct rule_family kvm_clock = { "KVM's clock", rules, RULE_COUNT(rules), 0, NEED_KVM_CLOCK };
