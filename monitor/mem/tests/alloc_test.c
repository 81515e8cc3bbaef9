/* SPDX-License-Identifier: MIT */
/* The page allocator. */
#include <string.h>

#include "monitor/base/direct.h"
#include "monitor/mem/alloc.h"
#include "monitor/mem/tests/fake_memory.h"

#define POOL_PAGES 16u

static struct page_owner owner, other, secret;

static int start(void **state)
{
	static bool done;

	(void)state;
	if (done)
		return 0;
	done = true;
	fake_memory_fill(0xa5);
	/* More pages than the region of 16 MiB has, and what is no page. */
	assert_false(page_alloc_init(gpa(FAKE_BASE), 4096 + 2496 + 1));
	assert_false(page_alloc_init(gpa(FAKE_BASE + 8), POOL_PAGES));
	assert_true(page_alloc_init(gpa(FAKE_BASE), POOL_PAGES));
	assert_true(page_owner_init(&owner, "owner", 8, false));
	assert_true(page_owner_init(&other, "other", 100, false));
	assert_true(page_owner_init(&secret, "secret", 4, true));
	return 0;
}

static bool is_filled(gpa_t page, uint8_t byte)
{
	const uint8_t *bytes = direct_ptr(page);

	for (size_t i = 0; i < ABI_PAGE_SIZE; i++) {
		if (bytes[i] != byte)
			return false;
	}
	return true;
}

static void pages_come_zeroed_and_go_wiped(void **state)
{
	gpa_t page;

	(void)state;
	assert_true(page_alloc(&owner, &page));
	assert_true(is_filled(page, 0));
	memset(direct_ptr(page), 0x77, ABI_PAGE_SIZE);
	page_free(&owner, page);
	assert_true(is_filled(page, 0));
}

/* The first that take them find what was there before (start()) in none, also not in a gap. */
static void pages_that_nobody_had_come_zeroed(void **state)
{
	gpa_t single, span, between;

	(void)state;
	assert_true(page_alloc(&other, &single));
	assert_true(page_alloc_span(&other, 8, 8, &span));
	/* One in the gap is not cleared yet: that is its own taker's work. */
	assert_true(is_filled(gpa(span.raw - ABI_PAGE_SIZE), 0xa5));
	assert_true(page_alloc(&other, &between));
	assert_true(between.raw < span.raw);
	assert_true(is_filled(single, 0));
	assert_true(is_filled(between, 0));
	for (unsigned int i = 0; i < 8; i++)
		assert_true(is_filled(gpa(span.raw + i * ABI_PAGE_SIZE), 0));
	page_free(&other, single);
	page_free(&other, between);
	page_free_span(&other, span, 8);
}

static void a_budget_is_a_limit(void **state)
{
	gpa_t pages[8], more;

	(void)state;
	for (size_t i = 0; i < 8; i++)
		assert_true(page_alloc(&owner, &pages[i]));
	assert_false(page_alloc(&owner, &more));
	page_free(&owner, pages[3]);
	assert_true(page_alloc(&owner, &pages[3]));
	assert_false(page_alloc_span(&owner, 1, 1, &more));
	for (size_t i = 0; i < 8; i++)
		page_free(&owner, pages[i]);
	assert_int_equal(owner.used, 0);
	assert_int_equal(owner.peak, 8);
}

static void the_region_is_a_limit(void **state)
{
	gpa_t pages[POOL_PAGES], more;
	size_t free_pages, all_pages;

	(void)state;
	for (size_t i = 0; i < POOL_PAGES; i++)
		assert_true(page_alloc(&other, &pages[i]));
	assert_false(page_alloc(&other, &more));
	assert_false(page_alloc(&owner, &more));
	page_alloc_stats(&free_pages, &all_pages);
	assert_int_equal(free_pages, 0);
	assert_int_equal(all_pages, POOL_PAGES);
	for (size_t i = 0; i < POOL_PAGES; i++)
		page_free(&other, pages[i]);
}

static void spans_lie_in_a_row_and_aligned(void **state)
{
	gpa_t single, span, too_long;

	(void)state;
	assert_true(page_alloc(&other, &single));
	assert_true(page_alloc_span(&other, 4, 4, &span));
	assert_int_equal(span.raw % (4 * ABI_PAGE_SIZE), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(page_owned(&other, gpa(span.raw + i * ABI_PAGE_SIZE)));
	assert_false(page_alloc_span(&other, POOL_PAGES, 1, &too_long));
	assert_false(page_alloc_span(&other, 0, 1, &too_long));
	page_free_span(&other, span, 4);
	page_free(&other, single);
}

static void a_fragmented_pool_gives_no_span(void **state)
{
	gpa_t pages[POOL_PAGES], span;

	(void)state;
	for (size_t i = 0; i < POOL_PAGES; i++)
		assert_true(page_alloc(&other, &pages[i]));
	for (size_t i = 0; i < POOL_PAGES; i += 2)
		page_free(&other, pages[i]);
	assert_false(page_alloc_span(&other, 2, 1, &span));
	for (size_t i = 1; i < POOL_PAGES; i += 2)
		page_free(&other, pages[i]);
	assert_true(page_alloc_span(&other, POOL_PAGES, 1, &span));
	page_free_span(&other, span, POOL_PAGES);
}

/*
 * What a service does that somebody has broken into: it keeps one page of each run that it can
 * reach.
 */
static void one_owner_cannot_cut_the_pool_into_pieces(void **state)
{
	gpa_t kept[4], passed[2], span;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_true(page_alloc(&owner, &kept[i]));
		for (unsigned int round = 0; round < 2; round++) {
			assert_true(page_alloc(&owner, &passed[0]));
			assert_true(page_alloc(&owner, &passed[1]));
			page_free(&owner, passed[0]);
			page_free(&owner, passed[1]);
		}
	}
	assert_true(page_alloc_span(&other, POOL_PAGES - 4, 1, &span));
	page_free_span(&other, span, POOL_PAGES - 4);
	for (size_t i = 0; i < 4; i++)
		page_free(&owner, kept[i]);
}

/* Free pages below what an aligned span has taken are found again. */
static void pages_below_a_span_are_found(void **state)
{
	gpa_t single, span, rest, more;

	(void)state;
	assert_true(page_alloc(&other, &single));
	assert_true(page_alloc_span(&other, 8, 8, &span));
	assert_true(page_alloc_span(&other, POOL_PAGES - 9, 1, &rest));
	assert_true(rest.raw < span.raw);
	assert_false(page_alloc(&other, &more));
	page_free(&other, single);
	assert_true(page_alloc(&other, &more));
	assert_int_equal(more.raw, single.raw);
	page_free(&other, more);
	page_free_span(&other, span, 8);
	page_free_span(&other, rest, 7);
}

static void freeing_what_one_does_not_have_is_a_bug(void **state)
{
	gpa_t page;

	(void)state;
	assert_true(page_alloc(&owner, &page));
	expect_assert_failure(page_free(&other, page));
	expect_assert_failure(page_free(&owner, gpa(page.raw + 8)));
	expect_assert_failure(page_free(&owner, gpa(FAKE_BASE + POOL_PAGES * ABI_PAGE_SIZE)));
	page_free(&owner, page);
	expect_assert_failure(page_free(&owner, page));
}

static void dying_wipes_secret_pages_only(void **state)
{
	gpa_t plain, hidden;

	(void)state;
	assert_true(page_alloc(&owner, &plain));
	assert_true(page_alloc(&secret, &hidden));
	memset(direct_ptr(plain), 1, ABI_PAGE_SIZE);
	memset(direct_ptr(hidden), 2, ABI_PAGE_SIZE);
	page_wipe_secret();
	assert_true(is_filled(plain, 1));
	assert_true(is_filled(hidden, 0));
	page_free(&owner, plain);
	page_free(&secret, hidden);
}

/*
 * Two pieces: no span lies over both, what fits into the first is there, and each page is known by
 * its address.
 */
static void more_is_apart_from_the_rest(void **state)
{
	size_t free_before, all_before, free_pages, all_pages;
	gpa_t first, page = { 0 }, span[POOL_PAGES + 1] = { 0 };
	unsigned int count = 0;

	(void)state;
	page_alloc_stats(&free_before, &all_before);
	assert_false(page_alloc_add(gpa(FAKE_BASE + 0x100008), 4));
	assert_false(page_alloc_add(gpa(FAKE_BASE + 0x100000), 4096 + 2496));
	assert_true(page_alloc_add(gpa(FAKE_BASE + 0x100000), 4));
	assert_false(page_alloc_add(gpa(FAKE_BASE + 0x200000), 4));
	page_alloc_stats(&free_pages, &all_pages);
	assert_int_equal(free_pages, free_before + 4);
	assert_int_equal(all_pages, all_before + 4);
	assert_true(page_alloc_span(&other, 3, 1, &first) && first.raw < FAKE_BASE + 0x100000);
	page_free_span(&other, first, 3);
	while (page_alloc(&other, &page) && page.raw < FAKE_BASE + 0x100000)
		span[count++] = page;
	assert_int_equal(page.raw, FAKE_BASE + 0x100000);
	assert_true(is_filled(page, 0));
	assert_true(page_owned(&other, page));
	assert_false(page_owned(&other, gpa(FAKE_BASE + 0x104000)));
	assert_false(page_owned(&other, gpa(FAKE_BASE + POOL_PAGES * 0x1000)));
	/*
	 * The last page of the first piece and the first of the second are free, and are no span.
	 */
	page_free(&other, page);
	page_free(&other, span[--count]);
	assert_true(page_alloc_span(&other, 2, 1, &first));
	assert_int_equal(first.raw, FAKE_BASE + 0x100000);
	page_free_span(&other, first, 2);
	assert_true(page_alloc_span(&secret, 2, 1, &first));
	memset(direct_ptr(first), 0x77, 2 * ABI_PAGE_SIZE);
	page_wipe_secret();
	assert_true(is_filled(first, 0));
	page_free_span(&secret, first, 2);
	while (count)
		page_free(&other, span[--count]);
}

static void owners_are_counted(void **state)
{
	static struct page_owner many[PAGE_OWNERS_MAX];
	unsigned int made = 0;

	(void)state;
	while (made < PAGE_OWNERS_MAX && page_owner_init(&many[made], "one more", 1, false))
		made++;
	assert_int_equal(made, PAGE_OWNERS_MAX - 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_that_nobody_had_come_zeroed),
		cmocka_unit_test(pages_come_zeroed_and_go_wiped),
		cmocka_unit_test(a_budget_is_a_limit),
		cmocka_unit_test(the_region_is_a_limit),
		cmocka_unit_test(spans_lie_in_a_row_and_aligned),
		cmocka_unit_test(a_fragmented_pool_gives_no_span),
		cmocka_unit_test(one_owner_cannot_cut_the_pool_into_pieces),
		cmocka_unit_test(pages_below_a_span_are_found),
		cmocka_unit_test(freeing_what_one_does_not_have_is_a_bug),
		cmocka_unit_test(dying_wipes_secret_pages_only),
		cmocka_unit_test(more_is_apart_from_the_rest),
		cmocka_unit_test(owners_are_counted),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
