/* SPDX-License-Identifier: MIT */
/*
 * One APIC id for each vCPU, wherever a guest reads it: CPUID (APM volume 3, appendix E: leaves 1,
 * 0xB and 0x8000001E), the APIC itself (volume 2, 16.12 and 16.14), the host's list of them (GHCB
 * specification, APIC ID List), AP creation, and the destinations of IPIs (volume 2, 16.13). Rules
 * that have one vCPU act are about the first, the others about the second; the second's id is what
 * AP creation called it by.
 */
#include "tests/machine/guest/traps.h"
#include "tests/machine/rules/families.h"

#define LEAVES "APM volume 3, appendix E"
#define X2APIC_ID "APM volume 2, 16.12"
#define ICR "APM volume 2, 16.13"
#define LIST "GHCB specification, APIC ID List"
#define MSR_ID 0x802u
#define MSR_LDR 0x80du
#define MSR_EOI 0x80bu
#define MSR_ICR 0x830u
#define MSR_SELF_IPI 0x83fu
#define VECTOR 27u /* within the table of exceptions, and none of them */
#define ICR_LOGICAL (1ull << 11)
#define ICR_SELF (1ull << 18)
#define ICR_OTHERS (3ull << 18)
#define PAUSES 10000000u

static uint64_t cpuid(uint64_t leaf_reg)
{
	return rule_cpuid((uint32_t)(leaf_reg >> 8), leaf_reg & 3);
}

#define LEAF(leaf, reg) ((uint64_t)(leaf) << 8 | (reg))

/* By the GHCB page, which knows of subleaves; ECX in, EDX out. */
static uint64_t cpuid_b(uint64_t subleaf)
{
	volatile struct ghcb *ghcb = ghcb_own();

	ghcb->rax = 0xb;
	ghcb->rcx = subleaf;
	ghcb_set_valid(0x1f8);
	ghcb_set_valid(0x308);
	if (ghcb_exit(0x72, 0, 0).result != 0)
		return ~0ull;
	return (uint32_t)ghcb->rdx;
}

static unsigned int who(const struct rule_case *c)
{
	return c->rule->vcpus > 1;
}

static uint64_t initial_id(const struct rule_case *c)
{
	return (act(who(c), c->vmpl, cpuid, LEAF(1, 1)) >> 24) ^ who(c);
}

static uint64_t leaf_b(const struct rule_case *c)
{
	uint64_t bad = 0;

	for (uint64_t subleaf = 0; subleaf < 3; subleaf++)
		bad |= act(who(c), c->vmpl, cpuid_b, subleaf) ^ who(c);
	return bad;
}

static uint64_t leaf_1e(const struct rule_case *c)
{
	return act(who(c), c->vmpl, cpuid, LEAF(0x8000001e, 0)) ^ who(c);
}

static uint64_t read_apic(uint64_t msr)
{
	uint64_t value;

	return apic_start() && ghcb_msr_read((uint32_t)msr, &value) ? value : ~0ull;
}

static uint64_t register_id(const struct rule_case *c)
{
	return act(who(c), c->vmpl, read_apic, MSR_ID) ^ who(c);
}

static uint64_t logical_id(const struct rule_case *c)
{
	return act(who(c), c->vmpl, read_apic, MSR_LDR) ^ 1u << who(c);
}

/*
 * The count, and each id once; RAX says how many pages it takes. Room for fewer: how many there
 * must be.
 */
static uint64_t list(const struct rule_case *c)
{
	volatile struct ghcb *ghcb = ghcb_own();
	volatile uint32_t *ids = shared_view(RULE_PAGE);
	struct ghcb_answer answer;
	uint64_t seen = 0;

	(void)c;
	(void)page_make_shared(RULE_PAGE);
	for (unsigned int i = 0; i < 1024; i++)
		ids[i] = 0xffffffff;
	ghcb->rax = 1;
	ghcb_set_valid(0x1f8);
	answer = ghcb_exit(0x80000017, RULE_PAGE, 0);
	if (answer.result != 0 || answer.info_2 != 0 || ghcb->rax != 1)
		return 1ull << 32 | answer.info_2;
	for (uint32_t i = 0; i < ids[0] && i < 64; i++)
		seen |= ids[1 + i] < 32 ? 1ull << ids[1 + i] : 1ull << 33;
	return (ids[0] ^ 2u) | (seen ^ 3u) << 8 | (uint64_t)(ids[1 + ids[0]] != 0xffffffff) << 48;
}

static uint64_t list_without_room(const struct rule_case *c)
{
	volatile struct ghcb *ghcb = ghcb_own();
	struct ghcb_answer answer;

	(void)c;
	ghcb->rax = 0;
	ghcb_set_valid(0x1f8);
	answer = ghcb_exit(0x80000017, RULE_PAGE, 0);
	return answer.result | answer.info_2 << 8 | (ghcb->rax ^ 1) << 16;
}

/* IPIs. Each vCPU notes what came to it. */

static volatile uint64_t received[ACTOR_CPUS];
static void (*handler_before)(struct trap_frame *frame);

/* It may interrupt an exit, so it makes none; who asked ends the interrupt. */
static void note(struct trap_frame *frame)
{
	if (frame->vector == VECTOR)
		received[actor_cpu()]++;
	else
		handler_before(frame);
}

static uint64_t take(uint64_t arg)
{
	(void)arg;
	for (unsigned int i = 0; i < PAUSES && received[actor_cpu()] == 0; i++)
		__asm__ volatile("sti; nop; cli; pause");
	if (received[actor_cpu()] != 0)
		(void)ghcb_msr_write(MSR_EOI, 0);
	return received[actor_cpu()];
}

static uint64_t start_here(uint64_t arg)
{
	(void)arg;
	return !apic_start();
}

/* Who got an IPI of the first vCPU: bit 0 the first, bit 1 the second. */
static uint64_t send(uint32_t msr, uint64_t value, uint64_t expected)
{
	uint64_t bad;

	handler_before = trap_handler;
	trap_handler = note;
	received[0] = received[1] = 0;
	bad = start_here(0) | act(1, 0, start_here, 0);
	if (!ghcb_msr_write(msr, value))
		bad |= 2;
	if (bad == 0 && (expected & 2))
		(void)act(1, 0, take, 0);
	if (bad == 0 && (expected & 1))
		(void)take(0);
	__asm__ volatile("sti; nop; cli"); /* what else may have come */
	trap_handler = handler_before;
	return bad << 8 | (uint64_t)(received[0] != 0) | (uint64_t)(received[1] != 0) << 1;
}

static uint64_t ipi(const struct rule_case *c)
{
	return send(MSR_ICR, c->rule->arg | VECTOR, c->rule->want);
}

static uint64_t self_ipi(const struct rule_case *c)
{
	return send(MSR_SELF_IPI, VECTOR, c->rule->want);
}

static uint64_t try_icr(uint64_t arg)
{
	return apic_start() && ghcb_msr_write(MSR_ICR, arg);
}

/* 1: the host took it, 0: #GP. */
static uint64_t icr_value(const struct rule_case *c)
{
	return act(0, c->vmpl, try_icr, c->rule->arg);
}

#define TO(id) ((uint64_t)(id) << 32)

static const struct rule rules[] = {
	{ "CPUID leaf 1, first vCPU", LEAVES, RULE_HOST, LEVELS_ALL, 1, 0, initial_id, 0, 0 },
	{ "CPUID leaf 1, second vCPU", LEAVES, RULE_HOST, LEVELS_ALL, 2, 0, initial_id, 0, 0 },
	{ "CPUID leaf 0xb, first vCPU", X2APIC_ID, RULE_HOST, LEVELS_ALL, 1, 0, leaf_b, 0, 0 },
	{ "CPUID leaf 0xb, second vCPU", X2APIC_ID, RULE_HOST, LEVELS_ALL, 2, 0, leaf_b, 0, 0 },
	{ "CPUID leaf 0x8000001e, first vCPU", X2APIC_ID, RULE_HOST, LEVELS_ALL, 1, 0, leaf_1e, 0,
	  0 },
	{ "CPUID leaf 0x8000001e, second vCPU", X2APIC_ID, RULE_HOST, LEVELS_ALL, 2, 0, leaf_1e, 0,
	  0 },
	{ "the APIC's own, first vCPU", X2APIC_ID, RULE_HOST, LEVELS_ALL, 1, 0, register_id, 0, 0 },
	{ "the APIC's own, second vCPU", X2APIC_ID, RULE_HOST, LEVELS_ALL, 2, 0, register_id, 0,
	  0 },
	{ "the logical one, first vCPU", "APM volume 2, 16.14", RULE_HOST, LEVELS_ALL, 1, 0,
	  logical_id, 0, 0 },
	{ "the logical one, second vCPU", "APM volume 2, 16.14", RULE_HOST, LEVELS_ALL, 2, 0,
	  logical_id, 0, 0 },
	{ "the host's list", LIST, RULE_HOST, 0, 1, NEED_APIC_IDS | NEED_CPU, list, 0, 0 },
	{ "the host's list, without room: how much it takes", LIST, RULE_HOST, 0, 1, NEED_APIC_IDS,
	  list_without_room, 0, 0 },
	{ "IPI to the first", ICR, RULE_HOST, LEVEL(0), 2, 0, ipi, TO(0), 1 },
	{ "IPI to the second", ICR, RULE_HOST, LEVEL(0), 2, 0, ipi, TO(1), 2 },
	{ "IPI to a third, that there is none", ICR, RULE_HOST, LEVEL(0), 2, 0, ipi, TO(2), 0 },
	{ "IPI to id 255, which is no broadcast in x2APIC mode", ICR, RULE_HOST, LEVEL(0), 2, 0,
	  ipi, TO(255), 0 },
	{ "IPI to all by the broadcast id", ICR, RULE_HOST, LEVEL(0), 2, 0, ipi, TO(0xffffffff),
	  3 },
	{ "IPI to the logical id of the first", "APM volume 2, 16.14", RULE_HOST, LEVEL(0), 2, 0,
	  ipi, TO(1) | ICR_LOGICAL, 1 },
	{ "IPI to the logical id of the second", "APM volume 2, 16.14", RULE_HOST, LEVEL(0), 2, 0,
	  ipi, TO(2) | ICR_LOGICAL, 2 },
	{ "IPI to the logical ids of both", "APM volume 2, 16.14", RULE_HOST, LEVEL(0), 2, 0, ipi,
	  TO(3) | ICR_LOGICAL, 3 },
	{ "IPI to a logical id of another cluster", "APM volume 2, 16.14", RULE_HOST, LEVEL(0), 2,
	  0, ipi, TO(0x10003) | ICR_LOGICAL, 0 },
	{ "IPI to itself", ICR, RULE_HOST, LEVEL(0), 2, 0, ipi, ICR_SELF, 1 },
	{ "IPI to the others", ICR, RULE_HOST, LEVEL(0), 2, 0, ipi, ICR_OTHERS, 2 },
	{ "IPI to itself by its own register", "APM volume 2, 16.15", RULE_HOST, LEVEL(0), 2, 0,
	  self_ipi, 0, 1 },
	{ "ICR, bits 31 to 20: #GP", ICR, RULE_HOST, LEVELS_ALL, 1, 0, icr_value,
	  TO(2) | 1u << 20 | VECTOR, 0 },
	{ "ICR, bits 17 and 16: #GP", ICR, RULE_HOST, LEVELS_ALL, 1, 0, icr_value,
	  TO(2) | 1u << 16 | VECTOR, 0 },
	{ "ICR, bit 13: #GP", ICR, RULE_HOST, LEVELS_ALL, 1, 0, icr_value,
	  TO(2) | 1u << 13 | VECTOR, 0 },
	{ "ICR without these", ICR, RULE_HOST, LEVELS_ALL, 1, 0, icr_value, TO(2) | VECTOR, 1 },
};

const struct rule_family apic_ids = { "APIC ids", rules, RULE_COUNT(rules), 0, 0 };
