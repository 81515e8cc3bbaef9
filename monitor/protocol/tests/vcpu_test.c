/* SPDX-License-Identifier: MIT */
/* SVSM_CORE_CREATE_VCPU and DELETE_VCPU: 58019, sections 6.3 and 6.4; and the registry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/model/tests/world.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/vcpu/registry.h"

#define VMSA (WORLD_SMALL + 0x10000)
#define CAA (WORLD_SMALL + 0x11000)
#define VMSA2 (WORLD_SMALL + 0x20000)
#define CAA2 (WORLD_SMALL + 0x21000)
#define OFFSET_VMPL 0xca
#define OFFSET_EFER 0xd0
#define OFFSET_FEATURES 0x3b0

static int setup(void **state)
{
	(void)state;
	world_start();
	world_put_vmsa(VMSA);
	return 0;
}

static uint32_t create(uint64_t vmsa, uint64_t caa, uint64_t apic_id)
{
	return world_core(SVSM_CORE_CREATE_VCPU, vmsa, caa, apic_id);
}

static uint32_t delete (uint64_t vmsa)
{
	return world_core(SVSM_CORE_DELETE_VCPU, vmsa, 0, 0);
}

static bool is_vmsa(uint64_t page)
{
	return rmp_is_vmsa(model_rmp(), page / ABI_PAGE_SIZE);
}

/* The page is the guest's plain memory, as it was. */
static void assert_given_back(uint64_t page)
{
	assert_false(is_vmsa(page));
	assert_false(registry_is_vmsa(gpa(page)));
	assert_true(world_guest_owns(page));
	assert_int_equal(guest_pages_state(gpa(page)), GUEST_PAGE_VALID);
}

static void create_makes_a_vmsa(void **state)
{
	struct registry_vcpu vcpu;

	(void)state;
	*model_memory(gpa(CAA)) = 1;
	assert_int_equal(create(VMSA, CAA, 1), 0);
	assert_true(is_vmsa(VMSA));
	assert_true(registry_is_vmsa(gpa(VMSA)));
	assert_true(world_guest_reads(VMSA));
	assert_int_equal(guest_pages_state(gpa(VMSA)), GUEST_PAGE_TAKEN);
	assert_int_equal(guest_pages_state(gpa(CAA)), GUEST_PAGE_CALLING);
	assert_int_equal(*model_memory(gpa(CAA)), 0);
	assert_true(registry_enter(1, 2, &vcpu));
	assert_int_equal(vcpu.vmsa.raw, VMSA);
	assert_int_equal(vcpu.caa.raw, CAA);
	registry_leave(1, 2);
	assert_false(registry_enter(2, 2, &vcpu));
}

/* Also of one that surely has no right: as long as the RMP cannot be asked. */
static void each_level_is_revoked(void)
{
	model_fail(MODEL_RMPQUERY, 1);
}

struct step {
	enum model_op op;
	uint64_t argument;
};

static void assert_create_is(const struct step *steps, size_t steps_count)
{
	const struct model_event *journal;
	size_t count;

	model_journal_clear();
	assert_int_equal(create(VMSA, CAA, 1), 0);
	journal = model_journal(&count);
	assert_int_equal(count, steps_count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(journal[i].op, steps[i].op);
		if (journal[i].op == MODEL_RMPADJUST)
			assert_int_equal(journal[i].argument, steps[i].argument);
	}
}

/*
 * The level it is for; then revoke from each of the guest's levels that may have a right, flush,
 * read, and only then the VMSA bit.
 */
static void create_checks_what_the_guest_cannot_change(void **state)
{
	static const struct step order[] = {
		{ MODEL_READ, 0 },     { MODEL_EXCHANGE, 0 }, { MODEL_RMPADJUST, 2 },
		{ MODEL_RMPQUERY, 0 }, { MODEL_FLUSH, 0 },    { MODEL_READ, 0 },
		{ MODEL_READ, 0 },     { MODEL_READ, 0 },     { MODEL_RMPADJUST, 0x10102 },
	};
	static const struct step unasked[] = {
		{ MODEL_READ, 0 },
		{ MODEL_EXCHANGE, 0 },
		{ MODEL_RMPADJUST, 2 },
		{ MODEL_RMPQUERY, 0 },
		{ MODEL_RMPQUERY, 0 },
		{ MODEL_RMPADJUST, 3 },
		{ MODEL_FLUSH, 0 },
		{ MODEL_READ, 0 },
		{ MODEL_READ, 0 },
		{ MODEL_READ, 0 },
		{ MODEL_RMPADJUST, 0x10102 },
	};

	(void)state;
	assert_create_is(order, sizeof(order) / sizeof(order[0]));
	assert_int_equal(delete (VMSA), 0);
	world_put_vmsa(VMSA);
	each_level_is_revoked();
	assert_create_is(unasked, sizeof(unasked) / sizeof(unasked[0]));
}

static void create_addresses(void **state)
{
	static const struct {
		uint64_t vmsa, caa;
		uint32_t result;
	} cases[] = {
		{ VMSA + 1, CAA, 0x80000005 },
		{ VMSA + 0x800, CAA, 0x80000005 },
		{ VMSA, CAA + 1, 0x80000005 },
		{ VMSA, CAA + 8, 0x80000005 },
		{ UINT64_MAX, CAA, 0x80000005 },
		{ VMSA, UINT64_MAX, 0x80000005 },
		{ VMSA, VMSA, 0x80000003 },
		{ WORLD_REGION, CAA, 0x80000003 },
		{ VMSA, WORLD_REGION, 0x80000003 },
		{ WORLD_BOOT_VMSA, CAA, 0x80000003 },
		{ VMSA, WORLD_BOOT_VMSA, 0x80000003 },
		{ WORLD_BOOT_CAA, CAA, 0x80000003 },
		{ VMSA, WORLD_BOOT_CAA, 0x80000003 },
		{ WORLD_INVALID, CAA, 0x80000003 },
		{ VMSA, WORLD_INVALID, 0x80000003 },
		{ WORLD_HOLE, CAA, 0x80000003 },
		{ VMSA, WORLD_HOLE, 0x80000003 },
		{ MODEL_SIZE, CAA, 0x80000003 },
		{ VMSA, MODEL_SIZE, 0x80000003 },
		{ 0 - 0x1000ull, CAA, 0x80000003 },
		{ VMSA, 0 - 0x1000ull, 0x80000003 },
		{ 1ull << 47, CAA, 0x80000003 },
		{ VMSA2, CAA, 0x80000003 }, /* the VMSA of CPU 2 */
		{ VMSA, CAA2, 0x80000003 }, /* its calling area */
		{ CAA2, CAA, 0x80000003 },
		{ VMSA, VMSA2, 0x80000003 },
	};

	(void)state;
	world_create(2, VMSA2, CAA2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (create(cases[i].vmsa, cases[i].caa, 1) != cases[i].result)
			fail_msg("case %zu", i);
		assert_given_back(VMSA);
		assert_int_equal(guest_pages_state(gpa(CAA)), GUEST_PAGE_VALID);
	}
	assert_int_equal(create(VMSA, CAA, 1), 0);
}

static void create_apic_ids(void **state)
{
	(void)state;
	assert_int_equal(create(VMSA, CAA, 0), 0x80000005); /* the boot vCPU, and the caller */
	assert_int_equal(create(VMSA, CAA, WORLD_CPUS), 0x80000005);
	assert_int_equal(create(VMSA, CAA, UINT32_MAX), 0x80000005);
	assert_int_equal(create(VMSA, CAA, WORLD_CPUS - 1), 0);
	world_put_vmsa(VMSA2);
	/* Nobody replaces the boot vCPU, and nobody itself. */
	assert_int_equal(world_call(3, CORE(SVSM_CORE_CREATE_VCPU), VMSA2, CAA2, 0).rax,
			 0x80000005);
	assert_int_equal(world_call(3, CORE(SVSM_CORE_CREATE_VCPU), VMSA2, CAA2, 3).rax,
			 0x80000005);
	/* The register is 4 bytes wide. */
	assert_int_equal(create(VMSA2, CAA2, 0xffffffff00000001), 0);
}

static void create_checks_fields(void **state)
{
	static const struct {
		unsigned int offset;
		uint64_t value;
		uint32_t result;
	} cases[] = {
		{ OFFSET_VMPL, 0, 0x80000005 },
		{ OFFSET_VMPL, 1, 0x80000005 },
		{ OFFSET_VMPL, 3, 0 }, /* less privileged than the caller */
		{ OFFSET_VMPL, 4, 0x80000005 },
		{ OFFSET_VMPL, 0xff, 0x80000005 },
		{ OFFSET_EFER, 0, 0x80000005 },
		{ OFFSET_EFER, ~(1ull << 12), 0x80000005 },
		{ OFFSET_EFER, UINT64_MAX, 0 },
		{ OFFSET_FEATURES, 0, 0x80000005 },
		{ OFFSET_FEATURES, 3, 0x80000005 },
		{ OFFSET_FEATURES, 1ull << 63 | 1, 0x80000005 },
		{ OFFSET_FEATURES, UINT64_MAX, 0x80000005 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size = cases[i].offset == OFFSET_VMPL ? 1 : 8;

		world_put_vmsa(VMSA);
		world_put(VMSA + cases[i].offset, &cases[i].value, size);
		if (create(VMSA, CAA, 1) != cases[i].result)
			fail_msg("case %zu", i);
		if (cases[i].result == 0)
			assert_int_equal(delete (VMSA), 0);
		assert_given_back(VMSA);
		assert_int_equal(guest_pages_state(gpa(CAA)), GUEST_PAGE_VALID);
	}
}

/* Each step of the commit fails once: all of it is undone. */
static void create_undoes_itself(void **state)
{
	(void)state;
	model_fail(MODEL_EXCHANGE, 1);
	assert_int_equal(create(VMSA, CAA, 1), 0x80000003);
	assert_given_back(VMSA);
	for (unsigned int nth = 1; nth <= 3; nth++) {
		each_level_is_revoked();
		model_fail_with(MODEL_RMPADJUST, nth, SNP_RESULT_FAIL_PERMISSION);
		assert_int_equal(create(VMSA, CAA, 1), 0x80001002);
		assert_given_back(VMSA);
	}
	for (unsigned int nth = 1; nth <= 3; nth++) {
		model_fail(MODEL_READ, nth);
		assert_int_equal(create(VMSA, CAA, 1), 0x80000003);
		assert_given_back(VMSA);
	}
	assert_int_equal(guest_pages_state(gpa(CAA)), GUEST_PAGE_VALID);
	assert_int_equal(create(VMSA, CAA, 1), 0);
}

/*
 * The host withholds INVLPGB: some CPU may still write the page, so it is not even read. Linux
 * frees the page, which must be its own again.
 */
static void create_needs_the_flush(void **state)
{
	const struct model_event *journal;
	size_t count;

	(void)state;
	model_journal_clear();
	model_fail(MODEL_FLUSH, 1);
	assert_int_equal(create(VMSA, CAA, 1), 0x80001020);
	assert_given_back(VMSA);
	assert_int_equal(guest_pages_state(gpa(CAA)), GUEST_PAGE_VALID);
	journal = model_journal(&count);
	for (size_t i = 0; i < count; i++) {
		/* But for its level, which the call is refused by, and no more. */
		assert_true(journal[i].op != MODEL_READ ||
			    (i == 0 && journal[i].at.raw == VMSA + OFFSET_VMPL));
		if (journal[i].op == MODEL_RMPADJUST)
			assert_int_equal(journal[i].argument & 1ull << 16, 0);
	}
	assert_int_equal(create(VMSA, CAA, 1), 0);
}

static bool no_more_rights(void *context, const struct model_event *event)
{
	unsigned int *seen = context;

	return event->op != MODEL_RMPADJUST || ++*seen < 3;
}

/* What cannot be granted again is nobody's: the guest has no right on it, and nobody gets it. */
static void create_that_cannot_give_back(void **state)
{
	unsigned int seen = 0;

	(void)state;
	model_set_hook(no_more_rights, &seen);
	each_level_is_revoked();
	assert_int_equal(create(VMSA, CAA, 1), 0x80000003);
	model_set_hook(NULL, NULL);
	assert_int_equal(seen, 4);
	assert_false(is_vmsa(VMSA));
	assert_false(registry_is_vmsa(gpa(VMSA)));
	assert_true(world_guest_barred(VMSA));
	assert_int_equal(guest_pages_state(gpa(VMSA)), GUEST_PAGE_TAKEN);
	assert_int_equal(guest_pages_state(gpa(CAA)), GUEST_PAGE_VALID);
}

/* A page inside a 2 MiB page can become a VMSA: the host splits it. */
static void create_inside_a_large_page(void **state)
{
	(void)state;
	world_create(1, WORLD_LARGE + 0x3000, WORLD_LARGE + 0x4000);
	assert_true(is_vmsa(WORLD_LARGE + 0x3000));
	assert_true(world_guest_owns(WORLD_LARGE + 0x2000));
	assert_int_equal(delete (WORLD_LARGE + 0x3000), 0);
	assert_given_back(WORLD_LARGE + 0x3000);
}

static void last_page_of_ram(void **state)
{
	(void)state;
	world_create(1, WORLD_LAST_PAGE, CAA);
	assert_int_equal(delete (WORLD_LAST_PAGE), 0);
	assert_int_equal(create(VMSA, WORLD_LAST_PAGE, 1), 0);
}

static void delete_gives_back(void **state)
{
	struct registry_vcpu vcpu;
	uint64_t efer;

	(void)state;
	assert_int_equal(create(VMSA, CAA, 1), 0);
	assert_int_equal(delete (VMSA), 0);
	assert_given_back(VMSA);
	assert_int_equal(guest_pages_state(gpa(CAA)), GUEST_PAGE_VALID);
	assert_false(registry_enter(1, 2, &vcpu));
	world_get(&efer, VMSA + OFFSET_EFER, sizeof(efer));
	assert_int_equal(efer & 1ull << 12, 0);
	assert_int_equal(delete (VMSA), 0x80000005);
	/* And again, from the start. */
	world_put_vmsa(VMSA);
	assert_int_equal(create(VMSA, CAA, 1), 0);
}

static void delete_refuses(void **state)
{
	static const uint64_t pages[] = {
		VMSA,	    CAA,	  VMSA + 0x800,	  VMSA + 1,
		0,	    MODEL_SIZE,	  0 - 0x1000ull,  UINT64_MAX,
		WORLD_HOLE, WORLD_REGION, WORLD_BOOT_CAA, WORLD_BOOT_VMSA
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		assert_int_equal(delete (pages[i]), 0x80000005);
	assert_true(is_vmsa(WORLD_BOOT_VMSA));
}

static void boot_vcpu_is_not_deletable_by_others(void **state)
{
	(void)state;
	world_create(1, VMSA, CAA);
	assert_int_equal(world_call(1, CORE(SVSM_CORE_DELETE_VCPU), WORLD_BOOT_VMSA, 0, 0).rax,
			 0x80000005);
	assert_true(is_vmsa(WORLD_BOOT_VMSA));
}

/* The vCPU runs: RMPADJUST says FAIL_INUSE, and it must be able to go on. */
static void delete_running(void **state)
{
	uint64_t efer;

	(void)state;
	assert_int_equal(create(VMSA, CAA, 1), 0);
	model_rmp()->entries[VMSA / ABI_PAGE_SIZE].flags |= RMP_VMSA_IN_USE;
	assert_int_equal(delete (VMSA), 0x80001003);
	assert_true(registry_is_vmsa(gpa(VMSA)));
	assert_true(is_vmsa(VMSA));
	world_get(&efer, VMSA + OFFSET_EFER, sizeof(efer));
	assert_int_equal(efer & 1ull << 12, 1ull << 12);
	model_rmp()->entries[VMSA / ABI_PAGE_SIZE].flags &= (uint8_t)~RMP_VMSA_IN_USE;
	assert_int_equal(delete (VMSA), 0);
}

/* Another CPU serves a call of it right now. */
static void delete_in_service(void **state)
{
	struct registry_vcpu vcpu;

	(void)state;
	assert_int_equal(create(VMSA, CAA, 1), 0);
	assert_true(registry_enter(1, 2, &vcpu));
	assert_int_equal(delete (VMSA), 0x80001003);
	registry_leave(1, 2);
	assert_int_equal(delete (VMSA), 0);
}

static void delete_itself(void **state)
{
	struct registry_vcpu vcpu;
	struct svsm_call call;

	(void)state;
	assert_int_equal(create(VMSA, CAA, 1), 0);
	call = world_call(1, CORE(SVSM_CORE_DELETE_VCPU), VMSA, 0, 0);
	assert_true(call.caller_deleted);
	assert_given_back(VMSA);
	assert_false(registry_enter(1, 2, &vcpu));
	/* Deleting another is no reason to stay silent. */
	world_create(1, VMSA, CAA);
	world_create(2, VMSA2, CAA2);
	call = world_call(2, CORE(SVSM_CORE_DELETE_VCPU), VMSA, 0, 0);
	assert_int_equal(call.rax, 0);
	assert_false(call.caller_deleted);
}

/* Linux creates the new VMSA of a CPU before it deletes the old one. */
static void newest_vmsa_is_current(void **state)
{
	struct registry_vcpu vcpu;

	(void)state;
	world_create(1, VMSA, CAA);
	world_create(1, VMSA2, CAA2);
	assert_true(registry_enter(1, 2, &vcpu));
	assert_int_equal(vcpu.vmsa.raw, VMSA2);
	registry_leave(1, 2);
	assert_true(world_guest_reads(VMSA));
	assert_int_equal(delete (VMSA), 0);
	assert_given_back(VMSA);
	assert_true(registry_enter(1, 2, &vcpu));
	assert_int_equal(vcpu.vmsa.raw, VMSA2);
	registry_leave(1, 2);
	assert_int_equal(delete (VMSA2), 0);
	assert_false(registry_enter(1, 2, &vcpu));
}

static enum guest_page_state state_of(uint64_t page)
{
	return guest_pages_state(gpa(page));
}

static gpa_t current_vmsa(unsigned int cpu)
{
	struct registry_vcpu vcpu = { .vmsa = gpa(UINT64_MAX) };

	(void)registry_enter(cpu, 2, &vcpu);
	registry_leave(cpu, 2);
	return vcpu.vmsa;
}

/*
 * Linux brings a CPU back with a new VMSA, the same calling area and the same APIC id, and deletes
 * the old VMSA afterwards (wakeup_cpu_via_vmgexit()).
 */
static void same_calling_area_for_the_same_cpu(void **state)
{
	(void)state;
	world_create(1, VMSA, CAA);
	*model_memory(gpa(CAA)) = 1;
	world_create(1, VMSA2, CAA);
	assert_int_equal(*model_memory(gpa(CAA)), 0);
	assert_int_equal(current_vmsa(1).raw, VMSA2);
	assert_int_equal(state_of(CAA), GUEST_PAGE_CALLING);
	assert_int_equal(delete (VMSA), 0);
	assert_given_back(VMSA);
	assert_int_equal(state_of(CAA), GUEST_PAGE_CALLING);
	assert_int_equal(current_vmsa(1).raw, VMSA2);
	assert_int_equal(delete (VMSA2), 0);
	assert_int_equal(state_of(CAA), GUEST_PAGE_VALID);
}

/* Also when the new one goes first, for AP_CREATION failed. The old one is not served again. */
static void newest_deleted_first(void **state)
{
	(void)state;
	world_create(1, VMSA, CAA);
	world_create(1, VMSA2, CAA);
	assert_int_equal(delete (VMSA2), 0);
	assert_int_equal(state_of(CAA), GUEST_PAGE_CALLING);
	assert_int_equal(current_vmsa(1).raw, UINT64_MAX);
	assert_int_equal(delete (VMSA), 0);
	assert_int_equal(state_of(CAA), GUEST_PAGE_VALID);
}

static void comes_back_a_hundred_times(void **state)
{
	uint64_t page[2] = { VMSA, VMSA2 };

	(void)state;
	world_create(1, page[0], CAA);
	for (unsigned int i = 1; i <= 100; i++) {
		world_create(1, page[i % 2], CAA);
		assert_int_equal(current_vmsa(1).raw, page[i % 2]);
		assert_int_equal(delete (page[(i + 1) % 2]), 0);
	}
	assert_int_equal(state_of(CAA), GUEST_PAGE_CALLING);
	assert_int_equal(delete (page[0]), 0);
	assert_int_equal(state_of(CAA), GUEST_PAGE_VALID);
}

static void calling_area_of_another_cpu(void **state)
{
	(void)state;
	world_create(1, VMSA, CAA);
	world_put_vmsa(VMSA2);
	assert_int_equal(create(VMSA2, CAA, 2), 0x80000003);
	assert_int_equal(create(VMSA2, WORLD_BOOT_CAA, 1), 0x80000003);
	assert_int_equal(state_of(CAA), GUEST_PAGE_CALLING);
	assert_int_equal(state_of(WORLD_BOOT_CAA), GUEST_PAGE_CALLING);
	assert_given_back(VMSA2);
	/* Not even when its own VMSA is gone but for an older one. */
	world_create(1, VMSA2, CAA2);
	assert_int_equal(delete (VMSA2), 0);
	world_put_vmsa(VMSA2);
	assert_int_equal(create(VMSA2, CAA, 2), 0x80000003);
	assert_int_equal(create(VMSA2, CAA2, 2), 0);
}

/* The old one runs on: nobody deletes it, and the new one is served all the same. */
static void old_one_runs(void **state)
{
	(void)state;
	world_create(1, VMSA, CAA);
	world_create(1, VMSA2, CAA);
	model_fail_with(MODEL_RMPADJUST, 1, SNP_RESULT_FAIL_INUSE);
	assert_int_equal(delete (VMSA), 0x80001003);
	assert_true(is_vmsa(VMSA));
	assert_int_equal(current_vmsa(1).raw, VMSA2);
	assert_int_equal(delete (VMSA), 0);
	assert_given_back(VMSA);
}

/* A creation that fails leaves the old one and the area that it shares as they were. */
static void failed_replacement(void **state)
{
	(void)state;
	world_create(1, VMSA, CAA);
	world_put_vmsa(VMSA2);
	for (unsigned int nth = 1; nth <= 3; nth++) {
		each_level_is_revoked();
		model_fail(MODEL_RMPADJUST, nth);
		assert_int_equal(create(VMSA2, CAA, 1), 0x80000003);
		assert_int_equal(current_vmsa(1).raw, VMSA);
		assert_int_equal(state_of(CAA), GUEST_PAGE_CALLING);
		assert_given_back(VMSA2);
	}
	model_fail(MODEL_EXCHANGE, 1);
	assert_int_equal(create(VMSA2, CAA, 1), 0x80000003);
	assert_int_equal(state_of(CAA), GUEST_PAGE_CALLING);
	assert_given_back(VMSA2);
	assert_int_equal(create(VMSA2, CAA, 1), 0);
}

/* Until it is a VMSA the new one is neither served nor deleted. */
static bool not_there_yet(void *context, const struct model_event *event)
{
	unsigned int *seen = context;

	if (event->op != MODEL_RMPADJUST)
		return true;
	assert_int_equal(current_vmsa(1).raw, VMSA);
	assert_int_equal(delete (VMSA2), 0x80000005);
	assert_int_equal(state_of(VMSA2), GUEST_PAGE_TAKEN);
	(*seen)++;
	return true;
}

static void replaced_at_the_end(void **state)
{
	unsigned int seen = 0;

	(void)state;
	world_create(1, VMSA, CAA);
	world_put_vmsa(VMSA2);
	model_set_hook(not_there_yet, &seen);
	each_level_is_revoked();
	assert_int_equal(create(VMSA2, CAA, 1), 0);
	model_set_hook(NULL, NULL);
	assert_int_equal(seen, 3);
	assert_int_equal(current_vmsa(1).raw, VMSA2);
}

/* The call under way stays with the VMSA that made it. */
static void replaced_during_a_call(void **state)
{
	struct registry_vcpu vcpu;

	(void)state;
	world_create(1, VMSA, CAA);
	assert_true(registry_enter(1, 2, &vcpu));
	world_create(1, VMSA2, CAA);
	assert_int_equal(delete (VMSA), 0x80001003);
	assert_int_equal(registry_remap(1, 2, gpa(CAA2)), REGISTRY_OK);
	assert_int_equal(state_of(CAA), GUEST_PAGE_CALLING);
	registry_leave(1, 2);
	assert_int_equal(current_vmsa(1).raw, VMSA2);
	assert_int_equal(delete (VMSA), 0);
	assert_int_equal(state_of(CAA2), GUEST_PAGE_VALID);
	assert_int_equal(state_of(CAA), GUEST_PAGE_CALLING);
	/* And when it ends in it. */
	assert_true(registry_enter(1, 2, &vcpu));
	world_create(1, VMSA, CAA);
	registry_end(1, 2);
	assert_int_equal(current_vmsa(1).raw, VMSA);
	assert_int_equal(state_of(CAA), GUEST_PAGE_CALLING);
	assert_int_equal(state_of(VMSA2), GUEST_PAGE_TAKEN);
}

static void remap_of_a_shared_area(void **state)
{
	(void)state;
	world_create(1, VMSA, CAA);
	world_create(1, VMSA2, CAA);
	assert_int_equal(world_call(1, CORE(SVSM_CORE_REMAP_CA), CAA2, 0, 0).rax, 0);
	assert_int_equal(state_of(CAA), GUEST_PAGE_CALLING);
	assert_int_equal(state_of(CAA2), GUEST_PAGE_CALLING);
	assert_int_equal(world_call(1, CORE(SVSM_CORE_REMAP_CA), CAA, 0, 0).rax, 0);
	assert_int_equal(state_of(CAA2), GUEST_PAGE_VALID);
	assert_int_equal(delete (VMSA), 0);
	assert_int_equal(state_of(CAA), GUEST_PAGE_CALLING);
	assert_int_equal(world_call(1, CORE(SVSM_CORE_REMAP_CA), CAA2, 0, 0).rax, 0);
	assert_int_equal(state_of(CAA), GUEST_PAGE_VALID);
}

/* Its page was made shared, or shared and private again: it can be no VMSA any more. */
static void delete_of_one_that_is_gone(void **state)
{
	(void)state;
	world_create(1, VMSA, CAA);
	model_host_unassign(gpa(VMSA), 1);
	assert_int_equal(delete (VMSA), 0x80000003);
	assert_false(registry_is_vmsa(gpa(VMSA)));
	assert_int_equal(state_of(VMSA), GUEST_PAGE_TAKEN);
	assert_int_equal(state_of(CAA), GUEST_PAGE_VALID);
	assert_int_equal(delete (VMSA), 0x80000005);
	world_create(1, VMSA2, CAA);
}

static void registry_fills(void **state)
{
	uint64_t page = WORLD_LARGE;
	unsigned int made = 0;
	uint32_t result;

	(void)state;
	for (;; page += 0x1000, made++) {
		world_put_vmsa(page);
		result = create(page, WORLD_SMALL + 0x1000ull * (made % 256), 1);
		if (result != 0)
			break;
		if (made % 256 == 255)
			break;
	}
	assert_int_equal(made, REGISTRY_VMSAS_MAX - 1);
	assert_int_equal(result, 0x80000006);
	assert_given_back(page);
	assert_int_equal(delete (WORLD_LARGE), 0);
	assert_int_equal(create(page, WORLD_SMALL, 1), 0);
}

static void registry_refuses_nonsense(void **state)
{
	struct registry_vcpu vcpu;

	(void)state;
	assert_false(registry_init(0, gpa(WORLD_BOOT_VMSA), gpa(WORLD_SMALL)));
	assert_false(registry_init(MONITOR_CPUS_MAX + 1, gpa(WORLD_BOOT_VMSA), gpa(WORLD_SMALL)));
	assert_false(registry_init(1, gpa(WORLD_BOOT_VMSA), gpa(WORLD_INVALID)));
	assert_false(registry_init(1, gpa(WORLD_BOOT_VMSA), gpa(WORLD_REGION)));
	assert_false(registry_enter(WORLD_CPUS, 2, &vcpu));
	assert_false(registry_enter(UINT32_MAX, 2, &vcpu));
	assert_int_equal(registry_remap(1, 2, gpa(WORLD_SMALL)), REGISTRY_UNKNOWN);
	registry_leave(UINT32_MAX, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(create_makes_a_vmsa, setup),
		cmocka_unit_test_setup(create_checks_what_the_guest_cannot_change, setup),
		cmocka_unit_test_setup(create_addresses, setup),
		cmocka_unit_test_setup(create_apic_ids, setup),
		cmocka_unit_test_setup(create_checks_fields, setup),
		cmocka_unit_test_setup(create_undoes_itself, setup),
		cmocka_unit_test_setup(create_needs_the_flush, setup),
		cmocka_unit_test_setup(create_that_cannot_give_back, setup),
		cmocka_unit_test_setup(create_inside_a_large_page, setup),
		cmocka_unit_test_setup(last_page_of_ram, setup),
		cmocka_unit_test_setup(delete_gives_back, setup),
		cmocka_unit_test_setup(delete_refuses, setup),
		cmocka_unit_test_setup(boot_vcpu_is_not_deletable_by_others, setup),
		cmocka_unit_test_setup(delete_running, setup),
		cmocka_unit_test_setup(delete_in_service, setup),
		cmocka_unit_test_setup(delete_itself, setup),
		cmocka_unit_test_setup(newest_vmsa_is_current, setup),
		cmocka_unit_test_setup(same_calling_area_for_the_same_cpu, setup),
		cmocka_unit_test_setup(newest_deleted_first, setup),
		cmocka_unit_test_setup(comes_back_a_hundred_times, setup),
		cmocka_unit_test_setup(calling_area_of_another_cpu, setup),
		cmocka_unit_test_setup(old_one_runs, setup),
		cmocka_unit_test_setup(failed_replacement, setup),
		cmocka_unit_test_setup(replaced_at_the_end, setup),
		cmocka_unit_test_setup(replaced_during_a_call, setup),
		cmocka_unit_test_setup(remap_of_a_shared_area, setup),
		cmocka_unit_test_setup(delete_of_one_that_is_gone, setup),
		cmocka_unit_test_setup(registry_fills, setup),
		cmocka_unit_test_setup(registry_refuses_nonsense, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
