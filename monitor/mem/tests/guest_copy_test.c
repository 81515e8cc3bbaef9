/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/model/tests/world.h"
#include "monitor/mem/guest_copy.h"
#include "monitor/mem/guest_pages.h"

static int setup(void **state)
{
	(void)state;
	world_start();
	return 0;
}

static void ranges(void **state)
{
	static const struct {
		uint64_t at, size;
		bool ok;
	} cases[] = {
		{ WORLD_SMALL, 0, false },
		{ WORLD_SMALL, 1, true },
		{ WORLD_SMALL + 0xfff, 2, true },
		{ WORLD_SMALL, MIB, true },
		{ WORLD_SMALL, MIB + 1, false },
		{ WORLD_SMALL - 1, 2, false }, /* begins in the hole */
		{ WORLD_LARGE, 2 * MIB, true },
		{ WORLD_LARGE + 2 * MIB - 1, 2, false }, /* ends in a page not validated */
		{ WORLD_BOOT_CAA, 4096, true },
		{ WORLD_REGION, 1, false },
		{ WORLD_REGION - 1, 1, false },
		{ WORLD_BOOT_VMSA, 8, false },
		{ MODEL_SIZE - 1, 1, true },
		{ MODEL_SIZE - 1, 2, false },
		{ MODEL_SIZE, 1, false },
		{ UINT64_MAX, 1, false },
		{ UINT64_MAX, 2, false },
		{ UINT64_MAX - 0xfff, 0x1000, false },
		{ WORLD_SMALL, UINT64_MAX, false },
		{ WORLD_SMALL, 0 - WORLD_SMALL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (guest_range_ok(2, gpa(cases[i].at), cases[i].size, SNP_RMPADJUST_READ) !=
		    cases[i].ok)
			fail_msg("case %zu", i);
	}
}

static void copies_cross_pages(void **state)
{
	uint8_t out[3 * 4096], in[3 * 4096];

	(void)state;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	assert_true(guest_copy_out(2, gpa(WORLD_SMALL + 0x801), out, sizeof(out)));
	assert_memory_equal(model_memory(gpa(WORLD_SMALL + 0x801)), out, sizeof(out));
	assert_int_equal(*model_memory(gpa(WORLD_SMALL + 0x800)), 0);
	assert_int_equal(*model_memory(gpa(WORLD_SMALL + 0x801 + sizeof(out))), 0);
	assert_true(guest_copy_in(2, in, gpa(WORLD_SMALL + 0x801), sizeof(in)));
	assert_memory_equal(in, out, sizeof(in));
}

static void refused_copy_in_gives_zeros(void **state)
{
	uint8_t in[16];

	(void)state;
	memset(in, 0xff, sizeof(in));
	assert_false(guest_copy_in(2, in, gpa(WORLD_REGION - 8), sizeof(in)));
	for (size_t i = 0; i < sizeof(in); i++)
		assert_int_equal(in[i], 0);
}

static void refused_copy_out_writes_nothing(void **state)
{
	static const uint8_t ones[0x2000] = { 1, 1, 1 };
	uint64_t at = WORLD_SMALL + MIB - 0x1000; /* the page after it is not validated */

	(void)state;
	assert_false(guest_copy_out(2, gpa(at), ones, sizeof(ones)));
	assert_int_equal(*model_memory(gpa(at)), 0);
}

static void fault_in_the_middle(void **state)
{
	uint8_t in[0x2000];

	(void)state;
	memset(in, 0xff, sizeof(in));
	world_put(WORLD_SMALL, "secret", 6);
	model_fail(MODEL_READ, 2);
	assert_false(guest_copy_in(2, in, gpa(WORLD_SMALL), sizeof(in)));
	assert_int_equal(in[0], 0);
	assert_int_equal(in[sizeof(in) - 1], 0);
	model_fail(MODEL_WRITE, 2);
	assert_false(guest_copy_out(2, gpa(WORLD_SMALL), in, sizeof(in)));
}

static void host_takes_the_page(void **state)
{
	uint8_t in[2];

	(void)state;
	model_host_unassign(gpa(WORLD_SMALL + 0x1000), 1);
	assert_false(guest_copy_in(2, in, gpa(WORLD_SMALL + 0xfff), 2));
	assert_true(guest_copy_in(2, in, gpa(WORLD_SMALL + 0xffe), 2));
}

static void taken_pages_are_not_copied(void **state)
{
	enum guest_page_state found;
	uint8_t in[2];

	(void)state;
	assert_true(guest_pages_take(gpa(WORLD_SMALL + 0x1000), 1, GUEST_PAGE_VALID, &found));
	assert_false(guest_copy_in(2, in, gpa(WORLD_SMALL + 0xfff), 2));
	assert_false(guest_pages_copy_in(2, in, gpa(WORLD_SMALL + 0x1000), 1));
	assert_false(guest_pages_copy_out(2, gpa(WORLD_SMALL + 0x1000), in, 1));
	guest_pages_set(gpa(WORLD_SMALL + 0x1000), 1, GUEST_PAGE_VALID);
	assert_true(guest_copy_in(2, in, gpa(WORLD_SMALL + 0xfff), 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ranges, setup),
		cmocka_unit_test_setup(copies_cross_pages, setup),
		cmocka_unit_test_setup(refused_copy_in_gives_zeros, setup),
		cmocka_unit_test_setup(refused_copy_out_writes_nothing, setup),
		cmocka_unit_test_setup(fault_in_the_middle, setup),
		cmocka_unit_test_setup(host_takes_the_page, setup),
		cmocka_unit_test_setup(taken_pages_are_not_copied, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
