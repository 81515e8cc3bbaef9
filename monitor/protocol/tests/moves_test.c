/* SPDX-License-Identifier: MIT */
/*
 * Pages that change under a call. For every call, for each page that has a part in it, and for
 * every N: before the N-th thing that the monitor does with memory or RMP the page is made shared,
 * made shared and private again, or exchanged by the host for another one and back. Whatever comes
 * of it, the monitor lives, the call has a result, each page is what the states say, and others
 * are served.
 *
 * The rules that are checked are the manual's (APM volume 2, 15.36): a VMSA is one that the guest
 * cannot write, for its VMPL is in it; and a page is validated once, or the host can exchange it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/model/tests/world.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/protocol/tests/attest_fixture.h"
#include "monitor/run/serve.h"
#include "monitor/vcpu/registry.h"

/* Offsets from a base: the caller is vCPU 1, vCPU 3 is there for deletion. */
#define CALLER_VMSA 0x1000
#define CALLER_CAA 0x2000
#define NEW_VMSA 0x3000
#define NEW_CAA 0x4000
#define LIST 0x5000
#define BUFFER 0x6000
#define NONCE_PAGE 0x7000
#define REPORT_PAGE 0x8000
#define MANIFEST_PAGE 0x9000
#define CERTIFICATES_PAGE 0xa000
#define SELECTOR_PAGE 0xc000
#define TARGET 0x10000
#define OLD_VMSA 0x20000
#define OLD_CAA 0x21000
/* vCPU 2 makes the control call; nobody touches its pages. */
#define CONTROL_VMSA (WORLD_LOADED + 0x20000)
#define CONTROL_CAA (WORLD_LOADED + 0x21000)

#define ENTRY_LARGE 1ull
#define ENTRY_VALIDATE 4ull
#define ENTRY_IGNORE_CF 8ull

struct registers {
	uint64_t rax, rcx, rdx, r8;
};

struct scenario {
	const char *name;
	uint32_t result; /* of the undisturbed call */
	struct registers (*prepare)(uint64_t base);
};

/* ---- The calls ---- */

static struct registers pvalidate(uint64_t base, uint16_t count, const uint64_t *entries)
{
	world_put_list(base + LIST, count, 0, entries);
	return (struct registers){ CORE(SVSM_CORE_PVALIDATE), base + LIST, 0, 0 };
}

static struct registers invalidate(uint64_t base)
{
	return pvalidate(base, 1, (uint64_t[]){ base + TARGET });
}

static struct registers validate(uint64_t base)
{
	return pvalidate(base, 1, (uint64_t[]){ WORLD_INVALID | ENTRY_VALIDATE });
}

static struct registers validate_large(uint64_t base)
{
	return pvalidate(base, 1, (uint64_t[]){ WORLD_INVALID | ENTRY_VALIDATE | ENTRY_LARGE });
}

static struct registers empty(uint64_t base)
{
	return pvalidate(base, 1,
			 (uint64_t[]){ (base + TARGET) | ENTRY_VALIDATE | ENTRY_IGNORE_CF });
}

static struct registers several(uint64_t base)
{
	uint64_t entries[] = {
		base + TARGET,
		WORLD_INVALID | ENTRY_VALIDATE,
		base + TARGET + 0x1000,
		(base + TARGET) | ENTRY_VALIDATE,
	};

	return pvalidate(base, 4, entries);
}

static struct registers create(uint64_t base)
{
	assert_int_equal(world_core(SVSM_CORE_DELETE_VCPU, base + OLD_VMSA, 0, 0), 0);
	world_put_vmsa(base + NEW_VMSA);
	return (struct registers){ CORE(SVSM_CORE_CREATE_VCPU), base + NEW_VMSA, base + NEW_CAA,
				   3 };
}

static struct registers create_again(uint64_t base)
{
	world_put_vmsa(base + NEW_VMSA);
	return (struct registers){ CORE(SVSM_CORE_CREATE_VCPU), base + NEW_VMSA, base + OLD_CAA,
				   3 };
}

static struct registers delete_other(uint64_t base)
{
	return (struct registers){ CORE(SVSM_CORE_DELETE_VCPU), base + OLD_VMSA, 0, 0 };
}

static struct registers delete_itself(uint64_t base)
{
	return (struct registers){ CORE(SVSM_CORE_DELETE_VCPU), base + CALLER_VMSA, 0, 0 };
}

static struct registers remap(uint64_t base)
{
	return (struct registers){ CORE(SVSM_CORE_REMAP_CA), base + NEW_CAA, 0, 0 };
}

static struct registers deposit(uint64_t base)
{
	world_put_list(base + LIST, 1, 0, (uint64_t[]){ base + TARGET });
	return (struct registers){ CORE(SVSM_CORE_DEPOSIT_MEM), base + LIST, 0, 0 };
}

static struct registers withdraw(uint64_t base)
{
	return (struct registers){ CORE(SVSM_CORE_WITHDRAW_MEM), base + LIST, 0, 0 };
}

static struct registers query(uint64_t base)
{
	(void)base;
	return (struct registers){ CORE(SVSM_CORE_QUERY_PROTOCOL), 1, 0, 0 };
}

static struct registers put_op(uint64_t base, uint32_t call)
{
	struct svsm_attest_op_ex block = {
		.base = {
			.report = { base + REPORT_PAGE, 0x1000, 0 },
			.nonce = { base + NONCE_PAGE, 64, 0 },
			.manifest = { base + MANIFEST_PAGE, 0x1000, 0 },
			.certificates = { base + CERTIFICATES_PAGE, 0x2000, 0 },
			.service = SVSM_GUID_VTPM,
		},
		.selector = { base + SELECTOR_PAGE, 12, 0 },
	};

	world_put(base + BUFFER, &block, sizeof(block));
	world_put(base + SELECTOR_PAGE, "\2\0\0\0\0\0\0\0\2\0\0\0", 12); /* the P-256 EK */
	return (struct registers){ ATTEST(call), base + BUFFER, 0, 0 };
}

static struct registers attest_all(uint64_t base)
{
	return put_op(base, SVSM_ATTEST_SERVICES);
}

static struct registers attest_one(uint64_t base)
{
	return put_op(base, SVSM_ATTEST_SINGLE_SERVICE);
}

static struct registers attest_selected(uint64_t base)
{
	return put_op(base, SVSM_ATTEST_SINGLE_SERVICE_EX);
}

static struct registers tpm_command(uint64_t base)
{
	struct svsm_vtpm_cmd_req req = { SVSM_VTPM_SEND_COMMAND, 0, 10 };

	world_put(base + BUFFER, &req, sizeof(req));
	return (struct registers){ VTPM(SVSM_VTPM_CMD), base + BUFFER, 0, 0 };
}

static const struct scenario scenarios[] = {
	{ "invalidate", 0, invalidate },
	{ "validate", 0, validate },
	{ "validate 2 MiB", 0, validate_large },
	{ "empty", 0, empty },
	{ "several entries", 0, several },
	{ "create", 0, create },
	{ "create again", 0, create_again },
	{ "delete", 0, delete_other },
	{ "delete itself", 3, delete_itself }, /* no answer: the register stays */
	{ "remap", 0, remap },
	{ "deposit", SVSM_ERR_INVALID_REQUEST, deposit },
	{ "withdraw", 0, withdraw },
	{ "query", 0, query },
	{ "attest services", 0, attest_all },
	{ "attest a service", 0, attest_one },
	{ "attest a selected key", 0, attest_selected },
	{ "TPM command", 0, tpm_command },
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static const uint64_t page_offsets[] = {
	CALLER_VMSA, CALLER_CAA,    NEW_VMSA,	       NEW_CAA,	      LIST,   BUFFER,	NONCE_PAGE,
	REPORT_PAGE, MANIFEST_PAGE, CERTIFICATES_PAGE, SELECTOR_PAGE, TARGET, OLD_VMSA, OLD_CAA,
};
#define PAGES (sizeof(page_offsets) / sizeof(page_offsets[0]))

/* ---- What happens to the page ---- */

enum move {
	MADE_SHARED,
	SHARED_AND_PRIVATE,
	EXCHANGED, /* and back again one step later */
	MOVES,
};

static struct {
	const char *scenario;
	enum move move;
	uint64_t page, pages;
	unsigned int nth, seen;
	struct rmp_entry entries[RMP_PAGES_2M]; /* the other page's, while one stands for it */
	bool exchanged, was_exchanged;
} now;

static struct rmp_entry *entry_of(uint64_t page)
{
	return &model_rmp()->entries[page / ABI_PAGE_SIZE];
}

/* The page that was out of sight comes back, and the one that was there goes out of sight. */
static void exchange(void)
{
	for (uint64_t i = 0; i < now.pages; i++) {
		struct rmp_entry *entry = entry_of(now.page + i * ABI_PAGE_SIZE);
		struct rmp_entry other = now.entries[i];

		now.entries[i] = *entry;
		*entry = other;
	}
	now.exchanged = !now.exchanged;
}

static void do_move(void)
{
	if (now.move == EXCHANGED) {
		/* A host that exchanges a part of a page of 2 MiB has to split it first. */
		if (now.pages == 1)
			(void)rmp_smash(model_rmp(), now.page / ABI_PAGE_SIZE);

		uint8_t size = entry_of(now.page)->flags & RMP_SIZE_2M;

		for (uint64_t i = 0; i < now.pages; i++) {
			now.entries[i] = (struct rmp_entry){
				.flags = (uint8_t)(RMP_ASSIGNED | size),
				.perms = { RMP_PERM_ALL },
			};
		}
		exchange();
		now.was_exchanged = true;
		return;
	}
	model_host_unassign(gpa(now.page), now.pages);
	if (now.move == SHARED_AND_PRIVATE)
		model_host_assign(gpa(now.page), now.pages);
}

static bool moves(void *context, const struct model_event *event)
{
	(void)context;
	(void)event;
	if (now.exchanged)
		exchange();
	if (++now.seen == now.nth)
		do_move();
	return true;
}

/* ---- What must hold ---- */

static void hold(bool holds, const char *what, uint64_t page)
{
	if (holds)
		return;
	fail_msg("%s, move %d of 0x%llx before step %u: %s, at 0x%llx", now.scenario, now.move,
		 (unsigned long long)now.page, now.nth, what, (unsigned long long)page);
}

static bool moved(uint64_t page)
{
	return page >= now.page && page < now.page + now.pages * ABI_PAGE_SIZE;
}

/* The entry of the page that is out of sight, if there is one. */
static struct rmp_entry hidden(uint64_t page)
{
	if (!now.was_exchanged || !moved(page))
		return (struct rmp_entry){ 0 };
	return now.entries[(page - now.page) / ABI_PAGE_SIZE];
}

static bool is_calling_area(uint64_t page)
{
	struct registry_vcpu vcpu;
	bool found = false;

	for (unsigned int cpu = 0; cpu < WORLD_CPUS && !found; cpu++) {
		found = registry_enter(cpu, 2, &vcpu) && vcpu.caa.raw == page;
		registry_leave(cpu, 2);
	}
	return found;
}

static void check_page(uint64_t page)
{
	enum guest_page_state state = guest_pages_state(gpa(page));
	bool ours = page >= WORLD_REGION && page < WORLD_REGION + WORLD_REGION_SIZE;
	bool ram = page < WORLD_HOLE || page >= WORLD_HOLE + 2 * MIB;
	struct rmp_entry seen = *entry_of(page), other = hidden(page);

	if (ours)
		hold(state == GUEST_PAGE_TAKEN && world_guest_barred(page), "Socle's page", page);
	if ((seen.flags | other.flags) & RMP_VMSA)
		hold(state == GUEST_PAGE_TAKEN, "a VMSA is not taken", page);
	if (seen.flags & RMP_VMSA)
		hold(!model_allows(gpa(page), 2, RMP_PERM_WRITE), "guest writes a VMSA", page);
	if (state == GUEST_PAGE_INVALID)
		hold(!((seen.flags | other.flags) & RMP_VALIDATED), "validated, unknown", page);
	if (state == GUEST_PAGE_VALID || state == GUEST_PAGE_CALLING)
		hold(!(seen.flags & other.flags & RMP_VALIDATED), "two pages validated", page);
	if (state == GUEST_PAGE_CALLING)
		hold(is_calling_area(page), "a calling area of nobody", page);
	if (moved(page) || ours || !ram)
		return;
	if (state == GUEST_PAGE_TAKEN)
		hold(registry_is_vmsa(gpa(page)), "a page is lost", page);
	if (state == GUEST_PAGE_VALID || state == GUEST_PAGE_CALLING)
		hold(world_guest_owns(page), "the guest lacks its page", page);
	if (state == GUEST_PAGE_INVALID)
		hold(world_guest_barred(page), "the guest reaches a page", page);
}

static uint64_t get(uint64_t at)
{
	uint64_t value;

	world_get(&value, at, sizeof(value));
	return value;
}

static void ask(uint64_t vmsa, uint64_t caa, const struct registers *regs)
{
	uint64_t exit_code = 0x403;

	world_put(vmsa + offsetof(struct snp_vmsa, rax), &regs->rax, 8);
	world_put(vmsa + offsetof(struct snp_vmsa, rcx), &regs->rcx, 8);
	world_put(vmsa + offsetof(struct snp_vmsa, rdx), &regs->rdx, 8);
	world_put(vmsa + offsetof(struct snp_vmsa, r8), &regs->r8, 8);
	world_put(vmsa + offsetof(struct snp_vmsa, exit_code), &exit_code, 8);
	*model_memory(gpa(caa)) = 1;
}

static void check_control_call(unsigned int cpu, uint64_t vmsa, uint64_t caa)
{
	struct registers regs = query(0);

	if (moved(vmsa) || moved(caa))
		return;
	ask(vmsa, caa, &regs);
	hold(serve_vcpu(cpu, 0), "a control call ends its vCPU", vmsa);
	hold(get(vmsa + offsetof(struct snp_vmsa, rax)) == 0 &&
		     get(vmsa + offsetof(struct snp_vmsa, rcx)) == 0x100000001,
	     "a control call is not answered", vmsa);
}

static void check_result(uint64_t vmsa, const struct registers *regs)
{
	struct registry_vcpu vcpu;
	uint64_t rax = get(vmsa + offsetof(struct snp_vmsa, rax));
	bool there = registry_enter(1, 2, &vcpu);

	registry_leave(1, 2);
	if (!there || moved(vmsa))
		return;
	hold(rax == regs->rax || rax == 0 || (rax >= 0x80000001 && rax <= 0x80001fff),
	     "the result is none", rax);
	hold(get(vmsa + offsetof(struct snp_vmsa, efer)) & 1ull << 12, "it cannot run", vmsa);
}

/* The vCPU is served once more: what ended has ended, what is pending is found. */
static void check_world(unsigned int cpu)
{
	check_control_call(0, WORLD_BOOT_VMSA, WORLD_BOOT_CAA);
	check_control_call(2, CONTROL_VMSA, CONTROL_CAA);
	(void)serve_vcpu(cpu, 0);
	for (uint64_t page = 0; page < MODEL_SIZE; page += ABI_PAGE_SIZE)
		check_page(page);
}

/* ---- The runs ---- */

static struct registers start(uint64_t base, const struct scenario *scenario)
{
	struct registers regs;

	(void)attest_setup(NULL);
	now.scenario = scenario->name;
	now.seen = 0;
	now.exchanged = now.was_exchanged = false;
	model_host_assign(gpa(WORLD_INVALID), RMP_PAGES_2M);
	world_create(1, base + CALLER_VMSA, base + CALLER_CAA);
	world_create(2, CONTROL_VMSA, CONTROL_CAA);
	world_create(3, base + OLD_VMSA, base + OLD_CAA);
	regs = scenario->prepare(base);
	ask(base + CALLER_VMSA, base + CALLER_CAA, &regs);
	return regs;
}

/* One call, with the move before its nth step. False when it has fewer steps. */
static bool run(uint64_t base, const struct scenario *scenario)
{
	struct registers regs = start(base, scenario);

	model_set_hook(moves, NULL);
	(void)serve_vcpu(1, 0);
	if (now.exchanged)
		exchange();
	model_set_hook(NULL, NULL);
	check_result(base + CALLER_VMSA, &regs);
	check_world(1);
	return now.seen >= now.nth;
}

static void run_all_steps(uint64_t base, const struct scenario *scenario)
{
	now.nth = 1;
	while (run(base, scenario))
		now.nth++;
}

static void undisturbed(void **state)
{
	(void)state;
	now.page = now.pages = 0;
	for (size_t i = 0; i < SCENARIOS; i++) {
		now.nth = 0;
		(void)run(WORLD_SMALL, &scenarios[i]);
		hold(get(WORLD_SMALL + CALLER_VMSA + offsetof(struct snp_vmsa, rax)) ==
			     scenarios[i].result,
		     "result", i);
		hold(now.seen >= 8, "too few steps", now.seen);
	}
}

/* Whether the undisturbed call does anything with the page. */
static bool has_a_part(const struct scenario *scenario, uint64_t page)
{
	const struct model_event *journal;
	bool found = false;
	size_t count;

	now.nth = 0;
	(void)start(WORLD_SMALL, scenario);
	model_journal_clear();
	(void)serve_vcpu(1, 0);
	journal = model_journal(&count);
	for (size_t i = 0; i < count && !found; i++)
		found = gpa_page(journal[i].at).raw == page;
	return found;
}

static void each_page_of_4k(void **state)
{
	unsigned int tried = 0;

	(void)state;
	now.pages = 1;
	for (size_t i = 0; i < SCENARIOS; i++) {
		for (size_t page = 0; page < PAGES; page++) {
			now.page = WORLD_SMALL + page_offsets[page];
			if (!has_a_part(&scenarios[i], now.page))
				continue;
			tried++;
			for (now.move = 0; now.move < MOVES; now.move++)
				run_all_steps(WORLD_SMALL, &scenarios[i]);
		}
	}
	assert_true(tried > 3 * SCENARIOS);
}

/* What is validated is no page of the guest's before, so it is not among the pages above. */
static void page_that_is_validated(void **state)
{
	static const struct {
		unsigned int scenario;
		uint64_t pages;
	} cases[] = { { 1, 1 }, { 1, RMP_PAGES_2M }, { 2, 1 }, { 2, RMP_PAGES_2M } };

	(void)state;
	now.page = WORLD_INVALID;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		now.pages = cases[i].pages;
		for (now.move = 0; now.move < MOVES; now.move++)
			run_all_steps(WORLD_SMALL, &scenarios[cases[i].scenario]);
	}
}

static struct registers invalidate_large(uint64_t base)
{
	return pvalidate(base, 1, (uint64_t[]){ WORLD_LARGE | ENTRY_LARGE });
}

static struct registers empty_large(uint64_t base)
{
	return pvalidate(
		base, 1,
		(uint64_t[]){ WORLD_LARGE | ENTRY_LARGE | ENTRY_VALIDATE | ENTRY_IGNORE_CF });
}

static void large_page_of_its_own(void **state)
{
	static const struct scenario large[] = {
		{ "invalidate 2 MiB", 0, invalidate_large },
		{ "empty 2 MiB", 0, empty_large },
	};

	(void)state;
	now.page = WORLD_LARGE;
	for (size_t i = 0; i < 2; i++) {
		for (now.pages = 1; now.pages <= RMP_PAGES_2M; now.pages += RMP_PAGES_2M - 1) {
			for (now.move = 0; now.move < MOVES; now.move++)
				run_all_steps(WORLD_SMALL, &large[i]);
		}
	}
}

/* All pages of the call lie in one page of 2 MiB, which is changed as one. */
static void all_pages_at_once(void **state)
{
	(void)state;
	now.page = WORLD_LARGE;
	now.pages = RMP_PAGES_2M;
	for (size_t i = 0; i < SCENARIOS; i++) {
		for (now.move = 0; now.move < MOVES; now.move++)
			run_all_steps(WORLD_LARGE, &scenarios[i]);
	}
}

/* A page of Socle's that is a VMSA: the boot vCPU's. The guest has asked the host for it. */
static void boot_vmsa(void **state)
{
	struct registers regs = query(0);

	(void)state;
	now.page = WORLD_BOOT_VMSA;
	now.pages = 1;
	for (now.move = 0; now.move < MOVES; now.move++) {
		now.nth = 1;
		do {
			(void)start(WORLD_SMALL, &scenarios[0]);
			ask(WORLD_BOOT_VMSA, WORLD_BOOT_CAA, &regs);
			model_set_hook(moves, NULL);
			(void)serve_vcpu(0, 0);
			if (now.exchanged)
				exchange();
			model_set_hook(NULL, NULL);
			check_world(0);
		} while (now.seen >= now.nth++);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(undisturbed),
		cmocka_unit_test(each_page_of_4k),
		cmocka_unit_test(page_that_is_validated),
		cmocka_unit_test(large_page_of_its_own),
		cmocka_unit_test(all_pages_at_once),
		cmocka_unit_test(boot_vmsa),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
