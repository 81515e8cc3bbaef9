/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/model/tests/world.h"
#include "monitor/mem/guest_pages.h"

static uint8_t states[MODEL_PAGES];

static const struct socle_params good = {
	.region = { 4 * MIB, 1 * MIB },
	.ram_count = 2,
	.loaded_count = 2,
	.ram = { { 0, 8 * MIB }, { 10 * MIB, 1 * MIB } },
	.loaded = { { 0x1000, 0x1000 }, { 10 * MIB, 0x2000 } },
};

static int setup(void **state)
{
	(void)state;
	world_start();
	return 0;
}

static enum guest_page_state state_at(uint64_t at)
{
	return guest_pages_state(gpa(at));
}

static void init_sets_each_page(void **state)
{
	(void)state;
	assert_int_equal(guest_pages_memory(&good), 11 * 256 / 4);
	assert_true(guest_pages_init(&good, states, sizeof(states)));
	assert_int_equal(state_at(0), GUEST_PAGE_INVALID);
	assert_int_equal(state_at(0xfff), GUEST_PAGE_INVALID);
	assert_int_equal(state_at(0x1000), GUEST_PAGE_VALID);
	assert_int_equal(state_at(0x2000), GUEST_PAGE_INVALID);
	assert_int_equal(state_at(4 * MIB - 1), GUEST_PAGE_INVALID);
	assert_int_equal(state_at(4 * MIB), GUEST_PAGE_TAKEN);
	assert_int_equal(state_at(5 * MIB - 1), GUEST_PAGE_TAKEN);
	assert_int_equal(state_at(5 * MIB), GUEST_PAGE_INVALID);
	assert_int_equal(state_at(8 * MIB), GUEST_PAGE_TAKEN);
	assert_int_equal(state_at(10 * MIB + 0x1000), GUEST_PAGE_VALID);
	assert_int_equal(state_at(11 * MIB - 1), GUEST_PAGE_INVALID);
	assert_int_equal(state_at(11 * MIB), GUEST_PAGE_TAKEN);
	assert_int_equal(state_at(UINT64_MAX), GUEST_PAGE_TAKEN);
}

static void init_needs_its_memory(void **state)
{
	size_t need = guest_pages_memory(&good);

	(void)state;
	assert_false(guest_pages_init(&good, states, need - 1));
	assert_true(guest_pages_init(&good, states, need));
}

struct bad_params {
	const char *why;
	void (*spoil)(struct socle_params *params);
};

static void no_ram(struct socle_params *p)
{
	p->ram_count = 0;
}

static void many_ram(struct socle_params *p)
{
	p->ram_count = SOCLE_PARAMS_RAM_MAX + 1;
}

static void many_loaded(struct socle_params *p)
{
	p->loaded_count = SOCLE_PARAMS_LOADED_MAX + 1;
}

static void ram_misaligned(struct socle_params *p)
{
	p->ram[1].gpa += 1;
}

static void ram_wraps(struct socle_params *p)
{
	p->ram[1] = (struct socle_range){ 0 - 0x1000ull, 0x2000 };
}

static void ram_descends(struct socle_params *p)
{
	p->ram[1] = (struct socle_range){ 7 * MIB, 1 * MIB };
}

static void ram_empty(struct socle_params *p)
{
	p->ram[1].size = 0;
}

static void loaded_overlaps(struct socle_params *p)
{
	p->loaded[1] = (struct socle_range){ 0x1000, 0x1000 };
}

static void loaded_in_region(struct socle_params *p)
{
	p->loaded[1] = (struct socle_range){ 5 * MIB - 0x1000, 0x1000 };
}

static void loaded_outside_ram(struct socle_params *p)
{
	p->loaded[1] = (struct socle_range){ 11 * MIB - 0x1000, 0x2000 };
}

static void region_outside_ram(struct socle_params *p)
{
	p->region.gpa = 8 * MIB;
}

static void region_across_end(struct socle_params *p)
{
	p->region.gpa = 8 * MIB - 0x1000;
}

static void region_empty(struct socle_params *p)
{
	p->region.size = 0;
}

static void region_wraps(struct socle_params *p)
{
	p->region.size = 0 - 0x1000ull;
}

static void init_refuses_contradictions(void **state)
{
	static const struct bad_params bad[] = {
		{ "no RAM", no_ram },
		{ "too many RAM ranges", many_ram },
		{ "too many loaded ranges", many_loaded },
		{ "misaligned RAM", ram_misaligned },
		{ "RAM wraps", ram_wraps },
		{ "RAM descends", ram_descends },
		{ "empty RAM", ram_empty },
		{ "loaded ranges overlap", loaded_overlaps },
		{ "loaded in region", loaded_in_region },
		{ "loaded outside RAM", loaded_outside_ram },
		{ "region outside RAM", region_outside_ram },
		{ "region across the end of RAM", region_across_end },
		{ "empty region", region_empty },
		{ "region wraps", region_wraps },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct socle_params params = good;

		bad[i].spoil(&params);
		if (guest_pages_memory(&params) != 0 ||
		    guest_pages_init(&params, states, sizeof(states)))
			fail_msg("accepted: %s", bad[i].why);
	}
}

static void take_is_all_or_nothing(void **state)
{
	enum guest_page_state found;

	(void)state;
	assert_false(guest_pages_take(gpa(WORLD_LARGE + MIB), 512, GUEST_PAGE_VALID, &found));
	assert_int_equal(found, GUEST_PAGE_INVALID);
	assert_int_equal(state_at(WORLD_LARGE + MIB), GUEST_PAGE_VALID);
	assert_true(guest_pages_take(gpa(WORLD_LARGE), 512, GUEST_PAGE_VALID, &found));
	assert_int_equal(state_at(WORLD_LARGE), GUEST_PAGE_TAKEN);
	assert_int_equal(state_at(WORLD_LARGE + 2 * MIB - 1), GUEST_PAGE_TAKEN);
	assert_int_equal(state_at(WORLD_INVALID), GUEST_PAGE_INVALID);
	assert_false(guest_pages_take(gpa(WORLD_LARGE), 1, GUEST_PAGE_VALID, &found));
	assert_int_equal(found, GUEST_PAGE_TAKEN);
}

static void take_tells_the_worst(void **state)
{
	enum guest_page_state found;

	(void)state;
	/* 11..13 MiB: not validated, then Socle's region. */
	assert_false(guest_pages_take(gpa(11 * MIB), 512, GUEST_PAGE_VALID, &found));
	assert_int_equal(found, GUEST_PAGE_TAKEN);
	assert_false(guest_pages_take(gpa(WORLD_LOADED), 2, GUEST_PAGE_INVALID, &found));
	assert_int_equal(found, GUEST_PAGE_CALLING);
}

static void nobody_takes_taken_pages(void **state)
{
	enum guest_page_state found;

	(void)state;
	assert_false(guest_pages_take(gpa(WORLD_REGION), 1, GUEST_PAGE_TAKEN, &found));
	assert_false(guest_pages_take(gpa(WORLD_HOLE), 1, GUEST_PAGE_VALID, &found));
	assert_false(guest_pages_take(gpa(UINT64_MAX & ~0xfffull), 1, GUEST_PAGE_VALID, &found));
	assert_int_equal(found, GUEST_PAGE_TAKEN);
}

static void set_stays_inside_ram(void **state)
{
	(void)state;
	guest_pages_set(gpa(WORLD_LAST_PAGE), 512, GUEST_PAGE_VALID);
	assert_int_equal(state_at(WORLD_LAST_PAGE), GUEST_PAGE_VALID);
	assert_int_equal(state_at(MODEL_SIZE), GUEST_PAGE_TAKEN);
}

static void validate_zeroes_before_it_grants(void **state)
{
	const struct model_event *journal;
	enum guest_page_state found;
	bool changed;
	size_t count;

	(void)state;
	assert_true(guest_pages_take(gpa(WORLD_INVALID), 1, GUEST_PAGE_INVALID, &found));
	assert_int_equal(guest_pages_validate(gpa(WORLD_INVALID), ARCH_PAGE_4K, false, &changed),
			 SNP_RESULT_OK);
	assert_true(changed);
	assert_int_equal(state_at(WORLD_INVALID), GUEST_PAGE_VALID);
	journal = model_journal(&count);
	assert_int_equal(count, 3);
	assert_int_equal(journal[0].op, MODEL_PVALIDATE);
	assert_int_equal(journal[1].op, MODEL_ZERO);
	assert_int_equal(journal[2].op, MODEL_RMPADJUST);
	assert_int_equal(journal[2].argument, 0xf02); /* all rights, VMPL2 */
	assert_int_equal(*model_memory(gpa(WORLD_INVALID)), 0);
}

static void assert_validates(uint64_t page, enum arch_page_size size, uint32_t eax,
			     enum guest_page_state then)
{
	uint64_t count = size == ARCH_PAGE_2M ? 512 : 1;
	enum guest_page_state found;
	bool changed;

	assert_true(guest_pages_take(gpa(page), count, GUEST_PAGE_INVALID, &found));
	assert_int_equal(guest_pages_validate(gpa(page), size, false, &changed), eax);
	assert_int_equal(state_at(page), then);
}

static void assert_invalidates(uint64_t page, enum arch_page_size size, uint32_t eax,
			       enum guest_page_state then)
{
	uint64_t count = size == ARCH_PAGE_2M ? 512 : 1;
	enum guest_page_state found;
	bool changed;

	assert_true(guest_pages_take(gpa(page), count, GUEST_PAGE_VALID, &found));
	assert_int_equal(guest_pages_invalidate(gpa(page), size, &changed), eax);
	assert_int_equal(state_at(page), then);
}

static void failed_grant_leaves_not_validated(void **state)
{
	(void)state;
	model_fail_with(MODEL_RMPADJUST, 1, SNP_RESULT_FAIL_PERMISSION);
	assert_validates(WORLD_INVALID, ARCH_PAGE_4K, SNP_RESULT_FAIL_PERMISSION,
			 GUEST_PAGE_INVALID);
	assert_false(model_allows(gpa(WORLD_INVALID), 0, RMP_PERM_READ));
	model_fail(MODEL_ZERO, 1);
	assert_validates(WORLD_INVALID, ARCH_PAGE_4K, ARCH_RESULT_FAULT, GUEST_PAGE_INVALID);
	assert_false(model_allows(gpa(WORLD_INVALID), 0, RMP_PERM_READ));
	model_fail(MODEL_PVALIDATE, 1);
	assert_validates(WORLD_INVALID, ARCH_PAGE_4K, ARCH_RESULT_FAULT, GUEST_PAGE_INVALID);
}

static void failed_invalidate_gives_back(void **state)
{
	(void)state;
	model_fail_with(MODEL_PVALIDATE, 1, SNP_RESULT_FAIL_INPUT);
	assert_invalidates(WORLD_SMALL, ARCH_PAGE_4K, SNP_RESULT_FAIL_INPUT, GUEST_PAGE_VALID);
	assert_true(world_guest_owns(WORLD_SMALL));
	world_share_as(WORLD_SMALL, RMP_PERM_READ);
	model_fail_with(MODEL_RMPADJUST, 2, SNP_RESULT_FAIL_PERMISSION);
	assert_invalidates(WORLD_SMALL, ARCH_PAGE_4K, SNP_RESULT_FAIL_PERMISSION, GUEST_PAGE_VALID);
	assert_true(world_guest_owns(WORLD_SMALL));
	assert_true(model_allows(gpa(WORLD_SMALL), 3, RMP_PERM_READ));
	model_fail(MODEL_RMPADJUST, 1);
	assert_invalidates(WORLD_SMALL, ARCH_PAGE_4K, ARCH_RESULT_FAULT, GUEST_PAGE_VALID);
	assert_true(world_guest_owns(WORLD_SMALL));
	assert_true(model_allows(gpa(WORLD_SMALL), 3, RMP_PERM_READ));
}

static unsigned int adjustments(void)
{
	const struct model_event *journal;
	unsigned int found = 0;
	size_t count;

	journal = model_journal(&count);
	for (size_t i = 0; i < count; i++)
		found += journal[i].op == MODEL_RMPADJUST;
	return found;
}

/* Only a level of which it is sure that it has no right is spared. */
static void invalidate_spares_who_has_none(void **state)
{
	(void)state;
	assert_invalidates(WORLD_SMALL, ARCH_PAGE_4K, SNP_RESULT_OK, GUEST_PAGE_INVALID);
	assert_int_equal(adjustments(), 1);
	model_journal_clear();
	world_share_as(WORLD_SMALL + 0x1000, RMP_PERM_EXEC_USER);
	assert_invalidates(WORLD_SMALL + 0x1000, ARCH_PAGE_4K, SNP_RESULT_OK, GUEST_PAGE_INVALID);
	assert_int_equal(adjustments(), 2);
	assert_true(world_guest_barred(WORLD_SMALL + 0x1000));
	model_journal_clear();
	model_fail(MODEL_RMPQUERY, 1);
	assert_invalidates(WORLD_SMALL + 0x2000, ARCH_PAGE_4K, SNP_RESULT_OK, GUEST_PAGE_INVALID);
	assert_int_equal(adjustments(), 2);
}

/* Another vCPU of the first level, whenever it may, lets the level beneath it write the page. */
static bool first_level_shares(void *context, const struct model_event *event)
{
	(void)context;
	(void)rmp_adjust(model_rmp(), 2, event->at.raw / ABI_PAGE_SIZE, SNP_PAGE_4K,
			 3 | (uint64_t)RMP_PERM_ALL << RMP_PERM_SHIFT);
	return true;
}

static void invalidate_leaves_no_right_that_is_given_meanwhile(void **state)
{
	(void)state;
	model_set_hook(first_level_shares, NULL);
	assert_invalidates(WORLD_SMALL, ARCH_PAGE_4K, SNP_RESULT_OK, GUEST_PAGE_INVALID);
	model_set_hook(NULL, NULL);
	assert_true(world_guest_barred(WORLD_SMALL));
	assert_int_equal(model_rmp()->entries[WORLD_SMALL / ABI_PAGE_SIZE].perms[3], 0);
	assert_int_equal(adjustments(), 2); /* it was shared before the first step */
}

/* Another page stands where the one was that was to lose its validation. */
static bool exchanged_before_pvalidate(void *context, const struct model_event *event)
{
	(void)context;
	if (event->op == MODEL_PVALIDATE && !event->argument) {
		model_host_unassign(event->at, 1);
		model_host_assign(event->at, 1);
	}
	return true;
}

/*
 * The page that was validated may still be, out of sight. Were the address valid again with another
 * page, the host could show either, and change one into a VMSA and have the other granted.
 */
static void exchanged_page_is_nobodys(void **state)
{
	(void)state;
	model_set_hook(exchanged_before_pvalidate, NULL);
	assert_invalidates(WORLD_SMALL, ARCH_PAGE_4K, SNP_RESULT_OK, GUEST_PAGE_TAKEN);
	model_fail(MODEL_ZERO, 1);
	assert_validates(WORLD_INVALID, ARCH_PAGE_4K, ARCH_RESULT_FAULT, GUEST_PAGE_TAKEN);
	model_set_hook(NULL, NULL);
}

/* One page of the 2 MiB is made shared by another vCPU of the guest. */
static bool one_page_goes(void *context, const struct model_event *event)
{
	const enum model_op *before = context;

	if (event->op == *before && event->size == 2 * MIB)
		model_host_unassign(gpa(event->at.raw + 0x5000), 1);
	return true;
}

static void large_page_falls_apart(void **state)
{
	enum model_op before = MODEL_ZERO;

	(void)state;
	model_host_assign(gpa(WORLD_INVALID), 512);
	model_set_hook(one_page_goes, &before);
	assert_validates(WORLD_INVALID, ARCH_PAGE_2M, ARCH_RESULT_FAULT, GUEST_PAGE_INVALID);
	before = MODEL_PVALIDATE;
	assert_invalidates(WORLD_LARGE, ARCH_PAGE_2M, SNP_RESULT_FAIL_SIZEMISMATCH,
			   GUEST_PAGE_VALID);
	model_set_hook(NULL, NULL);
	assert_int_equal(state_at(WORLD_INVALID + 0x5000), GUEST_PAGE_TAKEN);
	assert_int_equal(state_at(WORLD_INVALID + 0x6000), GUEST_PAGE_INVALID);
	assert_int_equal(state_at(WORLD_INVALID + 0x1ff000), GUEST_PAGE_INVALID);
	assert_false(model_allows(gpa(WORLD_INVALID), 0, RMP_PERM_READ));
	assert_true(world_guest_owns(WORLD_LARGE));
	assert_true(world_guest_barred(WORLD_LARGE + 0x5000));
	assert_true(world_guest_owns(WORLD_LARGE + 0x1ff000));
}

/* Nothing of it is there to be given back, so nobody has the host split it. */
static void large_page_that_is_gone_stays_whole(void **state)
{
	(void)state;
	model_host_unassign(gpa(WORLD_LARGE), 512);
	model_host_assign(gpa(WORLD_LARGE), 512);
	assert_invalidates(WORLD_LARGE, ARCH_PAGE_2M, ARCH_RESULT_FAULT, GUEST_PAGE_VALID);
	assert_true(model_rmp()->entries[WORLD_LARGE / 4096].flags & RMP_SIZE_2M);
}

/* A VMSA is not zeroed byte by byte while the host could enter it: first it is none. */
static void prepare_makes_sure_that_it_is_no_vmsa(void **state)
{
	const struct model_event *journal;
	size_t count;

	(void)state;
	assert_int_equal(guest_pages_prepare(gpa(WORLD_SMALL), ARCH_PAGE_4K, 2), SNP_RESULT_OK);
	journal = model_journal(&count);
	assert_int_equal(count, 4);
	assert_int_equal(journal[0].op, MODEL_RMPADJUST);
	assert_int_equal(journal[0].argument, 2);
	assert_int_equal(journal[1].op, MODEL_RMPQUERY); /* VMPL3 has no right */
	assert_int_equal(journal[2].op, MODEL_ZERO);
	assert_int_equal(journal[3].argument, 0xf02);
	model_fail_with(MODEL_RMPADJUST, 1, SNP_RESULT_FAIL_INUSE);
	*model_memory(gpa(WORLD_SMALL)) = 0x42;
	assert_int_equal(guest_pages_prepare(gpa(WORLD_SMALL), ARCH_PAGE_4K, 2),
			 SNP_RESULT_FAIL_INUSE);
	assert_int_equal(*model_memory(gpa(WORLD_SMALL)), 0x42);
	/* The guest has its page all the same. */
	model_fail(MODEL_ZERO, 1);
	assert_int_equal(guest_pages_prepare(gpa(WORLD_SMALL), ARCH_PAGE_4K, 2), ARCH_RESULT_FAULT);
	assert_true(world_guest_owns(WORLD_SMALL));
	assert_int_equal(state_at(WORLD_SMALL), GUEST_PAGE_VALID);
}

static void copies_stay_in_one_page(void **state)
{
	uint8_t byte[2] = { 0, 0 };

	(void)state;
	assert_true(guest_pages_copy_in(2, byte, gpa(WORLD_SMALL + 0xffe), 2));
	assert_false(guest_pages_copy_in(2, byte, gpa(WORLD_SMALL + 0xfff), 2));
	assert_false(guest_pages_copy_out(2, gpa(WORLD_SMALL + 0xfff), byte, 2));
	assert_false(guest_pages_copy_out(2, gpa(WORLD_REGION), byte, 1));
	assert_false(guest_pages_copy_in(2, byte, gpa(WORLD_INVALID), 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(init_sets_each_page, setup),
		cmocka_unit_test_setup(init_needs_its_memory, setup),
		cmocka_unit_test_setup(init_refuses_contradictions, setup),
		cmocka_unit_test_setup(take_is_all_or_nothing, setup),
		cmocka_unit_test_setup(take_tells_the_worst, setup),
		cmocka_unit_test_setup(nobody_takes_taken_pages, setup),
		cmocka_unit_test_setup(set_stays_inside_ram, setup),
		cmocka_unit_test_setup(validate_zeroes_before_it_grants, setup),
		cmocka_unit_test_setup(failed_grant_leaves_not_validated, setup),
		cmocka_unit_test_setup(failed_invalidate_gives_back, setup),
		cmocka_unit_test_setup(invalidate_spares_who_has_none, setup),
		cmocka_unit_test_setup(invalidate_leaves_no_right_that_is_given_meanwhile, setup),
		cmocka_unit_test_setup(exchanged_page_is_nobodys, setup),
		cmocka_unit_test_setup(large_page_falls_apart, setup),
		cmocka_unit_test_setup(large_page_that_is_gone_stays_whole, setup),
		cmocka_unit_test_setup(prepare_makes_sure_that_it_is_no_vmsa, setup),
		cmocka_unit_test_setup(copies_stay_in_one_page, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
