/* SPDX-License-Identifier: MIT */
/* Start of a portable guest, its output, and the loop over its rules. */
#include "tests/machine/guest/traps.h"
#include "tests/machine/rules/console.h"
#include "tests/machine/rules/rules.h"

#define TERM_SET 0xau /* a set of our own: the runner looks for it */
#define TERM_PASSED 0u
#define TERM_FAILED 1u
#define TERM_TRAP 2u
#define PSC_LARGE (1ull << 56)
#define PSC_PRIVATE (1ull << 52)
#define PSC_SHARED (2ull << 52)
#define WHOLE_VM 0x2cull /* INVLPGB: ASID, global entries, nested translations */

_Noreturn void guest_start(void);

static unsigned int host_has;
static uint64_t features;
static unsigned int number, failures;
static bool has_outcome; /* of the rule that is being proved */
static uint64_t outcome;

static _Noreturn void terminate(uint64_t code)
{
	for (;;)
		(void)ghcb_msr_call(0x100 | (uint64_t)TERM_SET << 12 | code << 16);
}

_Noreturn void trap_unhandled(const struct trap_frame *frame)
{
	if (actor_cpu() == 0 && actor_level() == 0)
		console_print("Bail out! exception %lu, error 0x%lx, RIP 0x%lx\n", frame->vector,
			      frame->error, frame->rip);
	terminate(TERM_TRAP);
}

uint64_t rule_sev_features(void)
{
	return msr_read(SNP_MSR_SEV_STATUS) >> SNP_SEV_STATUS_FEATURES_SHIFT;
}

unsigned int rule_host_has(void)
{
	return host_has;
}

uint64_t rule_ghcb_features(void)
{
	return features;
}

uint64_t rule_pvalidate(uint64_t gpa, uint64_t size, uint64_t validate)
{
	struct pvalidate_result r = pvalidate(gpa, (uint32_t)size, (uint32_t)validate);

	return r.eax | (uint64_t)r.carry << 8;
}

uint32_t rule_cpuid(uint32_t leaf, unsigned int reg)
{
	return (uint32_t)(ghcb_msr_call((uint64_t)leaf << 32 | (uint64_t)reg << 30 | 0x004) >> 32);
}

void rule_outcome(uint64_t value)
{
	has_outcome = true;
	outcome = value;
}

bool apic_start(void)
{
	return ghcb_msr_write(0x1b, 0xfee00c00 | (actor_cpu() == 0 ? 0x100 : 0)) &&
	       ghcb_msr_write(0x80f, 0x1ff);
}

uint64_t page_renew(uint64_t gpa)
{
	uint64_t shared = page_make_shared(gpa);

	return (shared ^ 0x015) | (page_make_private(gpa) ^ 0x015);
}

struct ghcb_answer page_state_entry(uint64_t entry)
{
	volatile struct ghcb *ghcb = ghcb_own();
	volatile uint64_t *list = (volatile uint64_t *)ghcb->shared_buffer;

	list[0] = 0; /* entry 0 is first and last */
	list[1] = entry;
	ghcb->sw_scratch = ghcb_gpa() + 0x800;
	ghcb_set_valid(0x3a8);
	return ghcb_exit(0x80000010, 0, 0);
}

uint64_t large_page_renew(void)
{
	struct ghcb_answer a = page_state_entry(RULE_LARGE | PSC_LARGE | PSC_SHARED);
	struct ghcb_answer b = page_state_entry(RULE_LARGE | PSC_LARGE | PSC_PRIVATE);

	return a.result | a.info_2 | b.result | b.info_2;
}

static uint64_t flush(uint64_t arg)
{
	(void)arg;
	invlpgb(WHOLE_VM, 0, 0);
	tlbsync();
	return 0;
}

static uint64_t level_of(uint64_t arg)
{
	(void)arg;
	return actor_level();
}

/* Each level runs once, so that a host that runs what it knows of has nothing left to begin. */
static unsigned int find_levels(void)
{
	if (!(features >> 5 & 1) || !(features >> 1 & 1) || actors_grant_image() != 0)
		return 0;
	for (unsigned int vmpl = 1; vmpl < SNP_VMPL_COUNT; vmpl++)
		if (actor_create(0, vmpl) != 0 || act(0, vmpl, level_of, 0) != vmpl)
			return 0;
	return NEED_LEVELS;
}

static unsigned int find_second_cpu(unsigned int levels)
{
	if (!(features >> 1 & 1) || actor_create(1, 0) != 0)
		return 0;
	for (unsigned int vmpl = 1; levels && vmpl < SNP_VMPL_COUNT; vmpl++)
		if (actor_create(1, vmpl) != 0 || act(1, vmpl, level_of, 0) != vmpl)
			return 0;
	return NEED_CPU;
}

/* Linux, Documentation/virt/kvm/x86/cpuid.rst. */
static bool has_kvm_clock(void)
{
	return rule_cpuid(0x40000000, 1) == 0x4b4d564b && (rule_cpuid(0x40000001, 0) >> 3 & 1);
}

/* What this host has is found by trying. */
static void find_features(void)
{
	unsigned int levels;

	features = ghcb_msr_call(0x080) >> 12;
	levels = find_levels();
	host_has = levels | find_second_cpu(levels);
	if (features >> 1 & 1)
		host_has |= NEED_CREATION;
	if (features >> 4 & 1)
		host_has |= NEED_APIC_IDS;
	if ((features >> 2 & 1) && (rule_sev_features() >> 3 & 1))
		host_has |= NEED_RESTRICTED;
	if (features >> 9 & 1)
		host_has |= NEED_ALTERNATE;
	if (has_kvm_clock())
		host_has |= NEED_KVM_CLOCK;
	if (actor_try(flush, 0) == 0)
		host_has |= NEED_INVLPGB;
	if (large_page_renew() == 0 && rule_pvalidate(RULE_LARGE, 1, 1) == 0)
		host_has |= NEED_LARGE;
}

static const char *const need_names[] = {
	"multiple VMPLs", "AP creation",	  "a second vCPU",	"RMP entries of 2 MiB",
	"INVLPGB",	  "restricted injection", "a list of APIC ids", "alternate injection",
	"KVM's clock",
};

static const char *const tag_names[] = { "cpu", "host", "firmware" };

static const char *missing(const struct rule_family *f, const struct rule *r, unsigned int vmpl)
{
	unsigned int needs = f->needs | r->needs;

	needs |= vmpl ? NEED_LEVELS : 0;
	needs |= r->vcpus > 1 ? NEED_CPU : 0;
	for (unsigned int i = 0; i < sizeof(need_names) / sizeof(need_names[0]); i++)
		if (needs >> i & 1 && !(host_has >> i & 1))
			return need_names[i];
	return NULL;
}

static void print_result(const struct rule_family *f, const struct rule_case *c, bool ok,
			 const char *skip)
{
	console_print("%sok %u - %s: %s (VMPL %u%s; %s; %s)%s%s\n", ok ? "" : "not ", ++number,
		      f->name, c->rule->name, c->vmpl, c->rule->vcpus > 1 ? ", two vCPUs" : "",
		      tag_names[c->rule->tag], c->rule->section, skip ? " # SKIP " : "",
		      skip ? skip : "");
}

/*
 * The second vCPU runs for the rules that have it act, and for no others: while it waits for
 * orders, a host with few CPUs has it in the way of each change of the RMP.
 */
static uint64_t want_second_cpu(bool wanted)
{
	static bool ended;

	if (!(host_has & NEED_CPU) || wanted != ended)
		return 0;
	ended = !ended;
	return ended ? actor_end(1, 0) : actor_create(1, 0);
}

static uint64_t run_case(uint64_t arg)
{
	const struct rule_case *c = (const struct rule_case *)arg;

	return c->rule->run(c);
}

static void prove(const struct rule_family *f, const struct rule *r, unsigned int vmpl)
{
	struct rule_case c = { .rule = r, .vmpl = vmpl, .variant = f->variant };
	const char *skip = missing(f, r, vmpl);
	uint64_t got;

	if (skip) {
		print_result(f, &c, true, skip);
		return;
	}
	has_outcome = false;
	got = want_second_cpu(r->vcpus > 1);
	if (got == 0)
		got = actor_try(run_case, (uint64_t)&c);
	print_result(f, &c, got == r->want, NULL);
	if (has_outcome)
		console_print("# outcome 0x%lx\n", outcome);
	if (got == r->want)
		return;
	failures++;
	console_print("# got 0x%lx, want 0x%lx\n", got, r->want);
}

/* Calls for each rule at each of its levels, or counts them. */
static unsigned int for_each_case(void (*call)(const struct rule_family *f, const struct rule *r,
					       unsigned int vmpl))
{
	unsigned int count = 0;

	for (size_t n = 0; rule_families[n] != NULL; n++) {
		const struct rule_family *f = rule_families[n];

		for (size_t i = 0; i < f->count; i++) {
			unsigned int levels = f->rules[i].levels ? f->rules[i].levels : LEVEL(0);

			for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
				if (!(levels >> vmpl & 1))
					continue;
				count++;
				if (call != NULL)
					call(f, &f->rules[i], vmpl);
			}
		}
	}
	return count;
}

static unsigned int lowest_level(unsigned int levels)
{
	return (unsigned int)__builtin_ctz(levels);
}

static void end_by(const struct rule *r)
{
	struct rule_family family = { .name = "end" };
	struct rule_case c = { .rule = r, .vmpl = r->levels ? lowest_level(r->levels) : 0 };
	const char *skip = missing(&family, r, c.vmpl);
	uint64_t got;

	if (skip) {
		print_result(&family, &c, true, skip);
		return;
	}
	console_print("# by this the VM ends: %s (%s; %s)\n", r->name, tag_names[r->tag],
		      r->section);
	got = actor_try(run_case, (uint64_t)&c);
	print_result(&family, &c, false, NULL);
	console_print("# it goes on, with 0x%lx\n", got);
	failures++;
}

static _Noreturn void run_rules(void)
{
	console_print("1..%u\n", rule_ending ? 1 : for_each_case(NULL));
	find_features();
	console_print("# GHCB features 0x%lx, SEV_STATUS 0x%lx, found 0x%x\n", features,
		      msr_read(SNP_MSR_SEV_STATUS), host_has);
	if (rule_ending)
		end_by(rule_ending);
	(void)for_each_case(prove);
	console_print("# end: %u failed\n", failures);
	terminate(failures ? TERM_FAILED : TERM_PASSED);
}

_Noreturn void guest_start(void)
{
	actors_start(run_rules);
}
