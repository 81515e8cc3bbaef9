/* SPDX-License-Identifier: MIT */
/* SVSM_CORE_PVALIDATE: 58019, section 6.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/model/tests/world.h"
#include "monitor/mem/guest_pages.h"

#define LIST (WORLD_BOOT_CAA + 8)
#define LARGE 1ull
#define VALIDATE 4ull
#define IGNORE_CF 8ull

static int setup(void **state)
{
	(void)state;
	world_start();
	return 0;
}

static uint32_t pvalidate_list(uint64_t list)
{
	return world_core(SVSM_CORE_PVALIDATE, list, 0, 0);
}

/* One entry; the result, and whether next says the same. */
static uint32_t pvalidate(uint64_t entry)
{
	uint32_t result;
	uint16_t next;

	world_put_list(LIST, 1, 0, &entry);
	result = pvalidate_list(LIST);
	world_get(&next, LIST + 2, sizeof(next));
	assert_int_equal(next, result == 0);
	return result;
}

static void validates_a_page(void **state)
{
	(void)state;
	assert_int_equal(pvalidate(WORLD_INVALID | VALIDATE), 0);
	assert_true(world_guest_owns(WORLD_INVALID));
	for (size_t i = 0; i < 0x1000; i++)
		assert_int_equal(*model_memory(gpa(WORLD_INVALID + i)), 0);
	assert_false(world_guest_owns(WORLD_INVALID + 0x1000));
}

static void validates_2m(void **state)
{
	model_host_assign(gpa(WORLD_INVALID), 512);
	(void)state;
	assert_int_equal(*model_memory(gpa(WORLD_INVALID)), MODEL_SCRAMBLED);
	assert_int_equal(pvalidate(WORLD_INVALID | VALIDATE | LARGE), 0);
	assert_true(world_guest_owns(WORLD_INVALID));
	assert_true(world_guest_owns(WORLD_INVALID + 2 * MIB - 0x1000));
	assert_int_equal(*model_memory(gpa(WORLD_INVALID + 2 * MIB - 1)), 0);
	assert_int_equal(guest_pages_state(gpa(WORLD_INVALID + 2 * MIB)), GUEST_PAGE_INVALID);
}

static void invalidates_in_order(void **state)
{
	static const struct {
		enum model_op op;
		uint64_t argument;
	} order[] = {
		{ MODEL_READ, 0 },     { MODEL_READ, 0 },      { MODEL_RMPADJUST, 2 },
		{ MODEL_RMPQUERY, 0 }, { MODEL_PVALIDATE, 0 }, { MODEL_FLUSH, 0 },
		{ MODEL_WRITE, 0 },
	};
	const struct model_event *journal;
	size_t count;

	(void)state;
	assert_int_equal(pvalidate(WORLD_SMALL), 0);
	journal = model_journal(&count);
	assert_int_equal(count, sizeof(order) / sizeof(order[0]));
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(journal[i].op, order[i].op);
		if (journal[i].op == MODEL_RMPADJUST || journal[i].op == MODEL_PVALIDATE)
			assert_int_equal(journal[i].argument, order[i].argument);
	}
	assert_true(world_guest_barred(WORLD_SMALL));
	assert_false(model_allows(gpa(WORLD_SMALL), 0, RMP_PERM_READ));
	assert_int_equal(guest_pages_state(gpa(WORLD_SMALL)), GUEST_PAGE_INVALID);
}

static void invalidates_2m(void **state)
{
	(void)state;
	assert_int_equal(pvalidate(WORLD_LARGE | LARGE), 0);
	assert_true(world_guest_barred(WORLD_LARGE));
	assert_true(world_guest_barred(WORLD_LARGE + 2 * MIB - 0x1000));
	assert_int_equal(pvalidate(WORLD_LARGE | LARGE | VALIDATE), 0);
	assert_true(world_guest_owns(WORLD_LARGE + 2 * MIB - 0x1000));
}

static void small_page_of_a_large_one(void **state)
{
	(void)state;
	assert_int_equal(pvalidate(WORLD_LARGE + 0x5000), 0);
	assert_true(world_guest_barred(WORLD_LARGE + 0x5000));
	assert_true(world_guest_owns(WORLD_LARGE + 0x4000));
	/* Now the 2 MiB are mixed. */
	assert_int_equal(pvalidate(WORLD_LARGE | LARGE), 0x80001006);
	assert_int_equal(pvalidate(WORLD_LARGE | LARGE | VALIDATE), 0x80001006);
	assert_int_equal(pvalidate((WORLD_LARGE + 0x5000) | VALIDATE), 0);
	/* All valid again, but in the RMP they are small pages. */
	assert_int_equal(pvalidate(WORLD_LARGE | LARGE), 0x80001006);
	assert_true(world_guest_owns(WORLD_LARGE));
}

/* APM volume 3: EAX = 6, and 58019: 0x80001000 + EAX. */
static void size_mismatch_of_the_rmp(void **state)
{
	(void)state;
	model_host_assign(gpa(WORLD_INVALID), 1);
	assert_int_equal(pvalidate(WORLD_INVALID | VALIDATE | LARGE), 0x80001006);
	assert_int_equal(guest_pages_state(gpa(WORLD_INVALID)), GUEST_PAGE_INVALID);
	assert_int_equal(pvalidate(WORLD_INVALID | VALIDATE), 0);
}

static void unchanged_pages(void **state)
{
	uint8_t mark = 0x42;

	(void)state;
	world_put(WORLD_SMALL, &mark, 1);
	assert_int_equal(pvalidate(WORLD_SMALL | VALIDATE), 0x80001010);
	assert_int_equal(*model_memory(gpa(WORLD_SMALL)), 0x42);
	assert_int_equal(pvalidate(WORLD_SMALL | VALIDATE | IGNORE_CF), 0);
	assert_int_equal(*model_memory(gpa(WORLD_SMALL)), 0);
	assert_true(world_guest_owns(WORLD_SMALL));
	assert_int_equal(pvalidate(WORLD_INVALID), 0x80001010);
	assert_int_equal(pvalidate(WORLD_INVALID | IGNORE_CF), 0);
	assert_int_equal(guest_pages_state(gpa(WORLD_INVALID)), GUEST_PAGE_INVALID);
	assert_int_equal(pvalidate(WORLD_LARGE | LARGE | VALIDATE), 0x80001010);
}

/* The page that the RMP calls validated, and the states do not: PVALIDATE answers CF = 1. */
static void rmp_says_unchanged(void **state)
{
	(void)state;
	assert_int_equal(rmp_launch_page(model_rmp(), WORLD_INVALID / 4096, false), 0);
	assert_int_equal(pvalidate(WORLD_INVALID | VALIDATE), 0x80001010);
	assert_false(world_guest_owns(WORLD_INVALID));
	assert_int_equal(pvalidate(WORLD_INVALID | VALIDATE | IGNORE_CF), 0);
	assert_true(world_guest_owns(WORLD_INVALID));
}

static void results_of_the_instruction(void **state)
{
	static const struct {
		uint32_t eax, result;
	} cases[] = {
		{ 1, 0x80001001 },	    { 2, 0x80001002 },	  { 6, 0x80001006 },
		{ 0xf, 0x8000100f },	    { 0x10, 0x80001011 }, { 0x11, 0x80001011 },
		{ UINT32_MAX, 0x80001011 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		model_fail_with(MODEL_PVALIDATE, 1, cases[i].eax);
		assert_int_equal(pvalidate(WORLD_INVALID | VALIDATE), cases[i].result);
		assert_int_equal(guest_pages_state(gpa(WORLD_INVALID)), GUEST_PAGE_INVALID);
		model_fail_with(MODEL_RMPADJUST, 1, cases[i].eax);
		assert_int_equal(pvalidate(WORLD_SMALL), cases[i].result);
		assert_int_equal(guest_pages_state(gpa(WORLD_SMALL)), GUEST_PAGE_VALID);
		assert_true(world_guest_owns(WORLD_SMALL));
	}
}

static void fault_while_zeroing(void **state)
{
	(void)state;
	model_fail(MODEL_ZERO, 1);
	assert_int_equal(pvalidate(WORLD_INVALID | VALIDATE), 0x80000003);
	assert_false(world_guest_owns(WORLD_INVALID));
	assert_int_equal(pvalidate(WORLD_INVALID | VALIDATE), 0);
}

static void entry_fields(void **state)
{
	(void)state;
	for (unsigned int bit = 4; bit < 12; bit++)
		assert_int_equal(pvalidate(WORLD_INVALID | VALIDATE | 1ull << bit), 0x80000005);
	assert_int_equal(pvalidate(WORLD_INVALID | VALIDATE | 2), 0x80000005);
	assert_int_equal(pvalidate(WORLD_INVALID | VALIDATE | 3), 0x80000005);
	for (unsigned int bit = 12; bit < 21; bit++)
		assert_int_equal(pvalidate(WORLD_INVALID | VALIDATE | LARGE | 1ull << bit),
				 0x80000005);
	assert_int_equal(guest_pages_state(gpa(WORLD_INVALID)), GUEST_PAGE_INVALID);
}

static void pages_of_others(void **state)
{
	static const uint64_t pages[] = {
		WORLD_REGION,
		WORLD_REGION + WORLD_REGION_SIZE - 0x1000,
		WORLD_BOOT_VMSA,
		WORLD_BOOT_CAA,
		WORLD_SMALL + 0x10000,
		WORLD_SMALL + 0x11000,
		WORLD_HOLE,
		MODEL_SIZE,
		0 - 0x1000ull,
		1ull << 47,
	};

	(void)state;
	world_create(1, WORLD_SMALL + 0x10000, WORLD_SMALL + 0x11000);
	model_journal_clear();
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		const struct model_event *journal;
		size_t count;

		assert_int_equal(pvalidate(pages[i]), 0x80000003);
		assert_int_equal(pvalidate(pages[i] | VALIDATE), 0x80000003);
		assert_int_equal(pvalidate(pages[i] | VALIDATE | IGNORE_CF), 0x80000003);
		journal = model_journal(&count);
		for (size_t j = 0; j < count; j++) {
			assert_int_not_equal(journal[j].op, MODEL_PVALIDATE);
			assert_int_not_equal(journal[j].op, MODEL_RMPADJUST);
			assert_int_not_equal(journal[j].op, MODEL_ZERO);
		}
	}
}

static void large_page_over_something_else(void **state)
{
	(void)state;
	/* Socle's region, no RAM, beyond RAM. */
	assert_int_equal(pvalidate(WORLD_REGION | LARGE | VALIDATE), 0x80000003);
	assert_int_equal(pvalidate(WORLD_REGION | LARGE), 0x80000003);
	assert_int_equal(pvalidate(WORLD_HOLE | LARGE | VALIDATE), 0x80000003);
	assert_int_equal(pvalidate(MODEL_SIZE | LARGE | VALIDATE), 0x80000003);
	assert_int_equal(pvalidate((0 - 2 * MIB) | LARGE | VALIDATE), 0x80000003);
	/* 0..2 MiB has the calling area in it. */
	assert_int_equal(pvalidate(0 | LARGE), 0x80000003);
	world_create(1, WORLD_LARGE + 0x10000, WORLD_SMALL);
	assert_int_equal(pvalidate(WORLD_LARGE | LARGE), 0x80000003);
	assert_true(world_guest_owns(WORLD_LARGE));
}

static void last_page_of_ram(void **state)
{
	(void)state;
	assert_int_equal(pvalidate(WORLD_LAST_PAGE), 0);
	assert_int_equal(pvalidate(WORLD_LAST_PAGE | VALIDATE), 0);
	assert_int_equal(pvalidate((WORLD_LAST_PAGE + 0x1000) | VALIDATE), 0x80000003);
}

static void list_header(void **state)
{
	static const uint64_t entry = WORLD_INVALID | VALIDATE;

	(void)state;
	world_put_list(LIST, 0, 0, NULL);
	assert_int_equal(pvalidate_list(LIST), 0x80000005);
	world_put_list(LIST, 1, 1, &entry);
	assert_int_equal(pvalidate_list(LIST), 0x80000005);
	world_put_list(LIST, 1, 0xffff, &entry);
	assert_int_equal(pvalidate_list(LIST), 0x80000005);
	assert_int_equal(guest_pages_state(gpa(WORLD_INVALID)), GUEST_PAGE_INVALID);
	for (unsigned int i = 1; i < 8; i++)
		assert_int_equal(pvalidate_list(LIST + i), 0x80000005);
}

/* Linux does not clear the header's reserved bytes. */
static void list_header_reserved(void **state)
{
	static const uint64_t entry = WORLD_INVALID | VALIDATE;
	uint32_t rubbish = UINT32_MAX;

	(void)state;
	world_put_list(LIST, 1, 0, &entry);
	world_put(LIST + 4, &rubbish, sizeof(rubbish));
	assert_int_equal(pvalidate_list(LIST), 0);
}

static void list_within_a_page(void **state)
{
	static const struct {
		uint64_t offset;
		uint16_t entries;
		uint32_t result;
	} cases[] = {
		{ 0, 511, 0 },
		{ 0, 512, 0x80000005 },
		{ 8, 510, 0 },
		{ 8, 511, 0x80000005 },
		{ 0xff0, 1, 0 },
		{ 0xff0, 2, 0x80000005 },
		{ 0xff8, 1, 0x80000005 },
		{ 0, 0xffff, 0x80000005 },
	};
	uint64_t list = WORLD_SMALL + 0x4000;
	uint64_t entries[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct svsm_pvalidate_list header = { .entries = cases[i].entries };
		uint32_t fit = cases[i].entries <= 512 ? cases[i].entries : 0;
		uint16_t next;

		for (size_t j = 0; j < fit; j++)
			entries[j] = WORLD_INVALID + j * 0x1000 + (VALIDATE | IGNORE_CF);
		world_put(list + cases[i].offset, &header, sizeof(header));
		world_put(list + cases[i].offset + 8, entries, fit * 8);
		assert_int_equal(pvalidate_list(list + cases[i].offset), cases[i].result);
		world_get(&next, list + cases[i].offset + 2, sizeof(next));
		assert_int_equal(next, cases[i].result ? 0 : cases[i].entries);
	}
}

static void list_elsewhere(void **state)
{
	(void)state;
	assert_int_equal(pvalidate_list(WORLD_REGION), 0x80000003);
	assert_int_equal(pvalidate_list(WORLD_BOOT_VMSA), 0x80000003);
	assert_int_equal(pvalidate_list(WORLD_INVALID), 0x80000003);
	assert_int_equal(pvalidate_list(WORLD_HOLE), 0x80000003);
	assert_int_equal(pvalidate_list(MODEL_SIZE), 0x80000003);
	assert_int_equal(pvalidate_list(0 - 8ull), 0x80000003);
	assert_int_equal(pvalidate_list(0), 0x80000003);
}

static void resumes_at_next(void **state)
{
	uint64_t entries[4] = { WORLD_INVALID | VALIDATE, (WORLD_INVALID + 0x1000) | VALIDATE,
				WORLD_REGION | VALIDATE, (WORLD_INVALID + 0x2000) | VALIDATE };
	uint16_t next;

	(void)state;
	world_put_list(LIST, 4, 1, entries);
	assert_int_equal(pvalidate_list(LIST), 0x80000003);
	world_get(&next, LIST + 2, sizeof(next));
	assert_int_equal(next, 2);
	assert_int_equal(guest_pages_state(gpa(WORLD_INVALID)), GUEST_PAGE_INVALID);
	assert_int_equal(guest_pages_state(gpa(WORLD_INVALID + 0x1000)), GUEST_PAGE_VALID);
	assert_int_equal(guest_pages_state(gpa(WORLD_INVALID + 0x2000)), GUEST_PAGE_INVALID);
	next = 3;
	world_put(LIST + 2, &next, sizeof(next));
	assert_int_equal(pvalidate_list(LIST), 0);
	world_get(&next, LIST + 2, sizeof(next));
	assert_int_equal(next, 4);
	assert_int_equal(guest_pages_state(gpa(WORLD_INVALID + 0x2000)), GUEST_PAGE_VALID);
}

static void flush_before_a_page_comes_back(void **state)
{
	uint64_t entries[3] = { WORLD_SMALL, WORLD_SMALL + 0x1000, WORLD_SMALL | VALIDATE };
	const struct model_event *journal;
	unsigned int flushes = 0;
	bool invalidated = false;
	size_t count;

	(void)state;
	world_put_list(LIST, 3, 0, entries);
	assert_int_equal(pvalidate_list(LIST), 0);
	journal = model_journal(&count);
	for (size_t i = 0; i < count; i++) {
		flushes += journal[i].op == MODEL_FLUSH;
		if (journal[i].op != MODEL_PVALIDATE)
			continue;
		invalidated = invalidated || !journal[i].argument;
		if (journal[i].argument)
			assert_int_equal(flushes, 1);
	}
	assert_true(invalidated);
	assert_int_equal(flushes, 1);
}

/* Nothing of ours rests on that flush: a host that withholds INVLPGB runs guests of one vCPU. */
static void invalidates_without_the_flush(void **state)
{
	(void)state;
	model_fail(MODEL_FLUSH, 1);
	assert_int_equal(pvalidate(WORLD_SMALL), 0);
	assert_true(world_guest_barred(WORLD_SMALL));
	assert_int_equal(pvalidate(WORLD_SMALL | VALIDATE), 0);
	assert_true(world_guest_owns(WORLD_SMALL));
}

/* The list's own page is taken away by its first entry. */
static void list_takes_its_own_page(void **state)
{
	uint64_t list = WORLD_SMALL + 0x4000;
	uint64_t entries[2] = { list, (WORLD_SMALL + 0x5000) };

	(void)state;
	world_put_list(list, 2, 0, entries);
	assert_int_equal(pvalidate_list(list), 0x80000003);
	assert_int_equal(guest_pages_state(gpa(list)), GUEST_PAGE_INVALID);
	assert_int_equal(guest_pages_state(gpa(WORLD_SMALL + 0x5000)), GUEST_PAGE_VALID);
}

static void fault_in_the_list(void **state)
{
	uint64_t entries[2] = { WORLD_INVALID | VALIDATE, (WORLD_INVALID + 0x1000) | VALIDATE };
	uint16_t next;

	(void)state;
	world_put_list(LIST, 2, 0, entries);
	model_fail(MODEL_READ, 3);
	assert_int_equal(pvalidate_list(LIST), 0x80000003);
	world_get(&next, LIST + 2, sizeof(next));
	assert_int_equal(next, 1);
	model_fail(MODEL_WRITE, 1);
	assert_int_equal(pvalidate_list(LIST), 0x80000003);
}

/* The guest changes an entry after each read of it. */
static bool entry_becomes_region(void *context, const struct model_event *event)
{
	uint64_t bad = WORLD_REGION | VALIDATE;

	(void)context;
	if (event->op != MODEL_READ && event->op != MODEL_FLUSH)
		world_put(LIST + 8, &bad, sizeof(bad));
	return true;
}

static void entries_are_read_once(void **state)
{
	uint64_t entry = WORLD_INVALID | VALIDATE;

	(void)state;
	world_put_list(LIST, 1, 0, &entry);
	model_set_hook(entry_becomes_region, NULL);
	assert_int_equal(pvalidate_list(LIST), 0);
	model_set_hook(NULL, NULL);
	assert_true(world_guest_owns(WORLD_INVALID));
	assert_true(world_guest_barred(WORLD_REGION));
}

/* The guest lets next run backwards while the list is worked on: it still ends. */
static bool next_becomes_zero(void *context, const struct model_event *event)
{
	uint16_t zero = 0;

	(void)context;
	if (event->op == MODEL_PVALIDATE)
		world_put(LIST + 2, &zero, sizeof(zero));
	return true;
}

static void next_is_read_once(void **state)
{
	uint64_t entries[2] = { WORLD_INVALID | VALIDATE, (WORLD_INVALID + 0x1000) | VALIDATE };
	uint16_t next;

	(void)state;
	world_put_list(LIST, 2, 0, entries);
	model_set_hook(next_becomes_zero, NULL);
	assert_int_equal(pvalidate_list(LIST), 0);
	model_set_hook(NULL, NULL);
	world_get(&next, LIST + 2, sizeof(next));
	assert_int_equal(next, 2);
}

/* M5: the host puts another page where a validated one was, and asks the guest to validate. */
static void exchanged_page_is_not_validated_again(void **state)
{
	(void)state;
	model_host_unassign(gpa(WORLD_SMALL), 1);
	model_host_assign(gpa(WORLD_SMALL), 1);
	assert_int_equal(pvalidate(WORLD_SMALL | VALIDATE), 0x80001010);
	assert_int_equal(pvalidate(WORLD_SMALL | VALIDATE | IGNORE_CF), 0x80000003);
	assert_false(world_guest_owns(WORLD_SMALL));
}

/* Another vCPU works on the page: what it took is nobody's until it is done. */
static void page_in_another_hand(void **state)
{
	enum guest_page_state found;

	(void)state;
	assert_true(guest_pages_take(gpa(WORLD_LARGE + 0x3000), 1, GUEST_PAGE_VALID, &found));
	assert_int_equal(pvalidate(WORLD_LARGE + 0x3000), 0x80000003);
	assert_int_equal(pvalidate((WORLD_LARGE + 0x3000) | VALIDATE), 0x80000003);
	assert_int_equal(pvalidate(WORLD_LARGE | LARGE), 0x80000003);
	guest_pages_set(gpa(WORLD_LARGE + 0x3000), 1, GUEST_PAGE_VALID);
	assert_int_equal(pvalidate(WORLD_LARGE | LARGE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(validates_a_page, setup),
		cmocka_unit_test_setup(validates_2m, setup),
		cmocka_unit_test_setup(invalidates_in_order, setup),
		cmocka_unit_test_setup(invalidates_2m, setup),
		cmocka_unit_test_setup(small_page_of_a_large_one, setup),
		cmocka_unit_test_setup(size_mismatch_of_the_rmp, setup),
		cmocka_unit_test_setup(unchanged_pages, setup),
		cmocka_unit_test_setup(rmp_says_unchanged, setup),
		cmocka_unit_test_setup(results_of_the_instruction, setup),
		cmocka_unit_test_setup(fault_while_zeroing, setup),
		cmocka_unit_test_setup(entry_fields, setup),
		cmocka_unit_test_setup(pages_of_others, setup),
		cmocka_unit_test_setup(large_page_over_something_else, setup),
		cmocka_unit_test_setup(last_page_of_ram, setup),
		cmocka_unit_test_setup(list_header, setup),
		cmocka_unit_test_setup(list_header_reserved, setup),
		cmocka_unit_test_setup(list_within_a_page, setup),
		cmocka_unit_test_setup(list_elsewhere, setup),
		cmocka_unit_test_setup(resumes_at_next, setup),
		cmocka_unit_test_setup(flush_before_a_page_comes_back, setup),
		cmocka_unit_test_setup(invalidates_without_the_flush, setup),
		cmocka_unit_test_setup(list_takes_its_own_page, setup),
		cmocka_unit_test_setup(fault_in_the_list, setup),
		cmocka_unit_test_setup(entries_are_read_once, setup),
		cmocka_unit_test_setup(next_is_read_once, setup),
		cmocka_unit_test_setup(exchanged_page_is_not_validated_again, setup),
		cmocka_unit_test_setup(page_in_another_hand, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
