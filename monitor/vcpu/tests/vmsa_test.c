/* SPDX-License-Identifier: MIT */
/*
 * Pages for VMSAs. RMPADJUST's operands and result are those of APM volume 3; why a VMSA starts no
 * 2 MiB page is told beside vmsa_alloc().
 */
#include "monitor/mem/tests/fake_memory.h"

#include "monitor/arch/arch.h"
#include "monitor/base/levels.h"
#include "monitor/vcpu/vmsa.h"

/* The array starts on 2 MiB, and so does its third page of 2 MiB. */
#define LARGE (FAKE_BASE + 0x200000)
#define PAGES 4u

static struct page_owner owner;
static uint32_t answer;
static unsigned int without_rights = 1; /* the level that RMPADJUST has to name */

uint32_t arch_rmpadjust(gpa_t page, enum arch_page_size size, unsigned int vmpl, uint64_t perms)
{
	check_expected(page.raw);
	assert_int_equal(size, 0);
	assert_int_equal(vmpl, without_rights);
	assert_int_equal(perms, 0x10000);
	return answer;
}

/* The page before the boundary, the one on it, and two behind it; an owner may have three. */
static int start(void **state)
{
	(void)state;
	return !page_alloc_init(gpa(LARGE - 0x1000), PAGES) ||
	       !page_owner_init(&owner, "vmsas", 3, false);
}

static void a_vmsa_never_starts_a_large_page(void **state)
{
	gpa_t page;

	(void)state;
	assert_true(vmsa_alloc(&owner, &page));
	assert_int_equal(page.raw, LARGE - 0x1000);
	assert_true(vmsa_alloc(&owner, &page));
	assert_int_equal(page.raw, LARGE + 0x1000);
	/* The page in between was given back. */
	assert_int_equal(owner.used, 2);
	assert_false(page_owned(&owner, gpa(LARGE)));

	page_free(&owner, gpa(LARGE - 0x1000));
	page_free(&owner, page);
	assert_int_equal(owner.used, 0);
}

static void memory_that_is_out_is_said(void **state)
{
	gpa_t page;

	(void)state;
	/*
	 * With one page to have, it is never the one on the boundary, and none is kept for nothing.
	 */
	owner.limit = 1;
	for (unsigned int i = 0; i < 2 * PAGES; i++) {
		if (!vmsa_alloc(&owner, &page))
			continue;
		assert_int_not_equal(page.raw % 0x200000, 0);
		page_free(&owner, page);
	}
	assert_int_equal(owner.used, 0);

	owner.limit = 0;
	assert_false(vmsa_alloc(&owner, &page));
}

static void a_page_becomes_a_vmsa_by_rmpadjust(void **state)
{
	(void)state;
	expect_value(arch_rmpadjust, page.raw, LARGE + 0x1000);
	answer = 0;
	assert_true(vmsa_commit(gpa(LARGE + 0x1000)));
	/* FAIL_INPUT, _PERMISSION, _INUSE, _SIZEMISMATCH */
	for (answer = 1; answer < 7; answer++) {
		expect_value(arch_rmpadjust, page.raw, LARGE - 0x1000);
		assert_false(vmsa_commit(gpa(LARGE - 0x1000)));
	}
}

/* It is not the guest's, whichever that is. */
static void rmpadjust_names_no_level_of_the_guests(void **state)
{
	(void)state;
	answer = 0;
	for (unsigned int guest = 1; guest <= 3; guest++) {
		assert_true(levels_init(guest, 0));
		without_rights = guest == 1 ? 2 : 1;
		expect_value(arch_rmpadjust, page.raw, LARGE + 0x1000);
		assert_true(vmsa_commit(gpa(LARGE + 0x1000)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vmsa_never_starts_a_large_page),
		cmocka_unit_test(memory_that_is_out_is_said),
		cmocka_unit_test(a_page_becomes_a_vmsa_by_rmpadjust),
		cmocka_unit_test(rmpadjust_names_no_level_of_the_guests),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
