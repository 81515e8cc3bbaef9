/* SPDX-License-Identifier: MIT */
/*
 * Rules of the RMP against the APM: section 15.36 of volume 2, PVALIDATE and RMPADJUST of volume 3.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/snp/rmp.h"

#define PAGES 2048u
#define PERMS_RW 0x300ull
#define PERMS_ALL 0xf00ull
#define VMSA 0x10000ull

static struct rmp_entry entries[PAGES];
static struct rmp rmp;

static int set_up(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < PAGES; i++)
		entries[i] = (struct rmp_entry){ 0 };
	rmp = (struct rmp){ .entries = entries, .count = PAGES };
	return 0;
}

static void expect(struct rmp_outcome out, enum rmp_status status, uint32_t eax)
{
	assert_int_equal(out.status, status);
	if (status == RMP_DONE)
		assert_int_equal(out.eax, eax);
}

static void valid_page(uint64_t page, unsigned int size)
{
	assert_int_equal(rmp_assign(&rmp, page, size), 0);
	expect(rmp_pvalidate(&rmp, page, size, true), RMP_DONE, 0);
}

static void test_assign(void **state)
{
	(void)state;
	assert_int_equal(rmp_assign(&rmp, 5, 0), 0);
	assert_int_equal(rmp_access(&rmp, 5, 0, RMP_PERM_READ), RMP_NOT_VALIDATED);
	assert_int_equal(rmp_access(&rmp, 6, 0, RMP_PERM_READ), RMP_NOT_ASSIGNED);
	assert_int_equal(rmp_access(&rmp, PAGES, 0, RMP_PERM_READ), RMP_NOT_RAM);
	assert_int_equal(rmp_assign(&rmp, PAGES, 0), 1);
	assert_int_equal(rmp_assign(&rmp, 1, 1), 1);
	assert_int_equal(rmp_assign(&rmp, PAGES, 1), 1);
	assert_int_equal(rmp_assign(&rmp, 0, 2), 1);
	assert_int_equal(rmp_assign(&rmp, 0, 1), 4); /* page 5 is a 4 KiB page */
	assert_int_equal(rmp_assign(&rmp, 512, 1), 0);
	assert_int_equal(rmp_assign(&rmp, 513, 0), 4);
	assert_int_equal(rmp_unassign(&rmp, 513, 0), 4);
	assert_int_equal(rmp_unassign(&rmp, 512, 1), 0);
	assert_int_equal(rmp_access(&rmp, 513, 0, RMP_PERM_READ), RMP_NOT_ASSIGNED);
}

static void test_pvalidate(void **state)
{
	struct rmp_outcome out;

	(void)state;
	expect(rmp_pvalidate(&rmp, 7, 0, true), RMP_NOT_ASSIGNED, 0);
	assert_int_equal(rmp_assign(&rmp, 7, 0), 0);
	out = rmp_pvalidate(&rmp, 7, 0, true);
	expect(out, RMP_DONE, 0);
	assert_false(out.unchanged);
	out = rmp_pvalidate(&rmp, 7, 0, true);
	expect(out, RMP_DONE, 0);
	assert_true(out.unchanged);
	assert_int_equal(rmp_access(&rmp, 7, 0, RMP_PERM_ALL), RMP_DONE);
	out = rmp_pvalidate(&rmp, 7, 0, false);
	expect(out, RMP_DONE, 0);
	assert_false(out.unchanged);
	assert_int_equal(rmp_access(&rmp, 7, 0, RMP_PERM_READ), RMP_NOT_VALIDATED);
	expect(rmp_pvalidate(&rmp, 7, 2, true), RMP_DONE, 1);
	expect(rmp_pvalidate(&rmp, 7, 1, true), RMP_DONE, 1);
	expect(rmp_pvalidate(&rmp, PAGES, 0, true), RMP_NOT_RAM, 0);
}

static void test_sizes(void **state)
{
	(void)state;
	for (uint64_t page = 0; page < 512; page++)
		assert_int_equal(rmp_assign(&rmp, page, 0), 0);
	expect(rmp_pvalidate(&rmp, 0, 1, true), RMP_DONE, 6);
	assert_int_equal(rmp_access(&rmp, 0, 0, RMP_PERM_READ), RMP_NOT_VALIDATED);

	valid_page(512, 1);
	assert_int_equal(rmp_access(&rmp, 1023, 0, RMP_PERM_ALL), RMP_DONE);
	expect(rmp_pvalidate(&rmp, 600, 0, false), RMP_NEEDS_SMASH, 0);
	expect(rmp_adjust(&rmp, 0, 600, 0, 1 | PERMS_RW), RMP_NEEDS_SMASH, 0);
	assert_int_equal(rmp_smash(&rmp, 600), 0);
	assert_int_equal(rmp_smash(&rmp, 600), 1);
	expect(rmp_pvalidate(&rmp, 600, 0, false), RMP_DONE, 0);
	assert_int_equal(rmp_access(&rmp, 601, 0, RMP_PERM_ALL), RMP_DONE);
	expect(rmp_pvalidate(&rmp, 512, 1, true), RMP_DONE, 6);
}

static void test_rmpadjust(void **state)
{
	(void)state;
	valid_page(9, 0);
	assert_int_equal(rmp_access(&rmp, 9, 2, RMP_PERM_READ), RMP_NO_PERMISSION);
	expect(rmp_adjust(&rmp, 0, 9, 0, 2 | PERMS_RW), RMP_DONE, 0);
	assert_int_equal(rmp_access(&rmp, 9, 2, RMP_PERM_READ | RMP_PERM_WRITE), RMP_DONE);
	assert_int_equal(rmp_access(&rmp, 9, 2, RMP_PERM_EXEC_SUPER), RMP_NO_PERMISSION);
	assert_int_equal(rmp_access(&rmp, 9, 1, RMP_PERM_READ), RMP_NO_PERMISSION);
	expect(rmp_adjust(&rmp, 0, 9, 0, 0 | PERMS_RW), RMP_DONE, 2);
	expect(rmp_adjust(&rmp, 2, 9, 0, 2 | PERMS_RW), RMP_DONE, 2);
	expect(rmp_adjust(&rmp, 2, 9, 0, 1 | PERMS_RW), RMP_DONE, 2);
	expect(rmp_adjust(&rmp, 2, 9, 0, 3 | PERMS_ALL), RMP_DONE, 2); /* more than its own */
	expect(rmp_adjust(&rmp, 2, 9, 0, 3 | PERMS_RW), RMP_DONE, 0);
	expect(rmp_adjust(&rmp, 0, 9, 0, 4), RMP_DONE, 1);
	expect(rmp_adjust(&rmp, 0, 9, 2, 1), RMP_DONE, 1);
	expect(rmp_adjust(&rmp, 0, 10, 0, 1 | PERMS_RW), RMP_NOT_ASSIGNED, 0);
	assert_int_equal(rmp_assign(&rmp, 10, 0), 0);
	expect(rmp_adjust(&rmp, 0, 10, 0, 1 | PERMS_RW), RMP_NOT_VALIDATED, 0);
	/* What the host takes and gives again has no rights left. */
	assert_int_equal(rmp_unassign(&rmp, 9, 0), 0);
	valid_page(9, 0);
	assert_int_equal(rmp_access(&rmp, 9, 2, RMP_PERM_READ), RMP_NO_PERMISSION);
}

static void test_vmsa(void **state)
{
	(void)state;
	valid_page(11, 0);
	assert_false(rmp_is_vmsa(&rmp, 11));
	expect(rmp_adjust(&rmp, 0, 11, 0, 2 | PERMS_RW), RMP_DONE, 0);
	expect(rmp_adjust(&rmp, 2, 11, 0, 3 | VMSA), RMP_DONE, 0);
	assert_false(rmp_is_vmsa(&rmp, 11)); /* only VMPL0 makes one */
	expect(rmp_adjust(&rmp, 0, 11, 0, 2 | PERMS_RW | VMSA), RMP_DONE, 0);
	assert_true(rmp_is_vmsa(&rmp, 11));
	assert_int_equal(rmp_access(&rmp, 11, 2, RMP_PERM_READ), RMP_DONE);
	assert_int_equal(rmp_access(&rmp, 11, 2, RMP_PERM_WRITE), RMP_IS_VMSA);
	assert_int_equal(rmp_access(&rmp, 11, 0, RMP_PERM_WRITE), RMP_DONE);

	/* APM volume 2, 15.36.12: any RMPADJUST of a VMSA in use. */
	entries[11].flags |= RMP_VMSA_IN_USE;
	expect(rmp_adjust(&rmp, 0, 11, 0, 2), RMP_DONE, 3);
	expect(rmp_adjust(&rmp, 0, 11, 0, 2 | PERMS_RW | VMSA), RMP_DONE, 3);
	expect(rmp_adjust(&rmp, 0, 11, 0, 1 | PERMS_ALL | VMSA), RMP_DONE, 3);
	expect(rmp_adjust(&rmp, 2, 11, 0, 3), RMP_DONE, 3);
	expect(rmp_adjust(&rmp, 2, 11, 0, 3 | PERMS_ALL), RMP_DONE, 3); /* before the rights */
	expect(rmp_adjust(&rmp, 2, 11, 0, 2), RMP_DONE, 2);		/* after the operand */
	expect(rmp_adjust(&rmp, 0, 11, 1, 2), RMP_DONE, 1);
	assert_true(rmp_is_vmsa(&rmp, 11));
	assert_int_equal(rmp_access(&rmp, 11, 3, RMP_PERM_READ), RMP_NO_PERMISSION);
	expect(rmp_pvalidate(&rmp, 11, 0, false), RMP_DONE, 3);
	assert_int_equal(rmp_unassign(&rmp, 11, 0), 2);
	entries[11].flags &= (uint8_t)~RMP_VMSA_IN_USE;
	expect(rmp_adjust(&rmp, 0, 11, 0, 2), RMP_DONE, 0);
	assert_false(rmp_is_vmsa(&rmp, 11));

	valid_page(512, 1);
	expect(rmp_adjust(&rmp, 0, 512, 1, 2 | VMSA), RMP_DONE, 1);
	expect(rmp_adjust(&rmp, 0, 512, 1, 2 | PERMS_ALL), RMP_DONE, 0);
	assert_int_equal(rmp_access(&rmp, 1023, 2, RMP_PERM_ALL), RMP_DONE);
}

static void test_launch(void **state)
{
	(void)state;
	assert_int_equal(rmp_launch_page(&rmp, 20, false), 0);
	assert_int_equal(rmp_access(&rmp, 20, 0, RMP_PERM_ALL), RMP_DONE);
	assert_int_equal(rmp_launch_page(&rmp, 21, true), 0);
	assert_true(rmp_is_vmsa(&rmp, 21));
	assert_int_equal(rmp_launch_page(&rmp, PAGES, false), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_assign, set_up),
		cmocka_unit_test_setup(test_pvalidate, set_up),
		cmocka_unit_test_setup(test_sizes, set_up),
		cmocka_unit_test_setup(test_rmpadjust, set_up),
		cmocka_unit_test_setup(test_vmsa, set_up),
		cmocka_unit_test_setup(test_launch, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
