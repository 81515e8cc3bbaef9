/* SPDX-License-Identifier: MIT */
/*
 * When 512 leaf entries are one page of 2 MiB (APM volume 2, 5.3.4: bit 7 of the second level), and
 * when they must not be. The guest is 8 MiB less a page large.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "machine/hv/base/cpu.h"
#include "machine/hv/base/page.h"
#include "machine/hv/memory/guest.h"
#include "machine/hv/memory/npt_view.h"

#define PAGES 2047u
#define MEMORY_PAGES 64u
#define ALL (NPT_MAY_READ | NPT_MAY_WRITE | NPT_MAY_EXECUTE)
#define TABLE 1u /* the one that is looked at: pages 512 to 1023 */
#define FIRST (TABLE * NPT_ENTRIES)
#define LAST_TABLE 3u /* one page short */
#define PAGE (FIRST + 77u)
#define LARGE (1ull << 7)
#define ADDRESS 0x000ffffffffff000ull
#define WRITE (1ull << 1)
#define NO_EXECUTE (1ull << 63)

struct guest_layout guest_layout = { .low_end = PAGES, .flash = GUEST_PAGE_4G, .high_end = PAGES };
struct rmp guest_ram;

static uint8_t memory[MEMORY_PAGES][ABI_PAGE_SIZE] __attribute__((aligned(ABI_PAGE_SIZE)));
static uint64_t taken;
static struct rmp_entry entries[PAGES];
static unsigned int cpus;

void *page_take(uint64_t count)
{
	void *at = memory[taken];

	taken += count;
	assert_true(taken <= MEMORY_PAGES);
	return memset(at, 0, count * ABI_PAGE_SIZE);
}

unsigned int cpu_count(void)
{
	return cpus;
}

static void set(unsigned int vmpl, uint64_t page, uint8_t rights)
{
	npt_rights(vmpl)[page] = rights;
	(void)npt_view_set_leaves(page, false);
	npt_view_fold(page, 1);
}

static uint64_t entry(unsigned int vmpl, uint64_t table)
{
	return npt_private_view(vmpl)->level2[table];
}

static bool is_large(unsigned int vmpl)
{
	return entry(vmpl, TABLE) & LARGE;
}

/* All pages assigned, all rights at every VMPL. */
static void start(unsigned int vcpus)
{
	cpus = vcpus;
	taken = 0;
	guest_ram = (struct rmp){ .entries = entries, .count = PAGES };
	npt_view_init();
	for (uint64_t page = 0; page < PAGES; page++) {
		bool ram = guest_is_ram(page << ABI_PAGE_SHIFT);

		entries[page] = (struct rmp_entry){ .flags = ram ? RMP_ASSIGNED : 0 };
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			npt_rights(vmpl)[page] = ram ? ALL : 0;
		(void)npt_view_set_leaves(page, false);
	}
	npt_view_fold(0, PAGES);
}

static void test_the_same_is_one_page(void **state)
{
	(void)state;
	start(1);
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
		assert_true(is_large(vmpl));
		assert_int_equal(entry(vmpl, TABLE) & ADDRESS, 2u << 20);
		assert_true(entry(vmpl, TABLE) & WRITE);
		assert_false(entry(vmpl, TABLE) & NO_EXECUTE);
	}
	/* The hole for video memory, and the end of memory, are none. */
	assert_false(entry(0, 0) & LARGE);
	assert_false(entry(0, LAST_TABLE) & LARGE);
}

static void test_one_page_with_less(void **state)
{
	static const uint8_t less[] = { 0, NPT_MAY_READ, NPT_MAY_READ | NPT_MAY_WRITE };

	(void)state;
	start(1);
	for (size_t i = 0; i < sizeof(less); i++) {
		for (uint64_t page = FIRST; page < FIRST + NPT_ENTRIES; page += NPT_ENTRIES - 1) {
			set(2, page, less[i]);
			assert_false(is_large(2));
			assert_int_equal(entry(2, TABLE) & ADDRESS,
					 (uint64_t)(npt_private_view(2)->leaves + FIRST));
			assert_true(is_large(0));
			assert_true(is_large(3));
			set(2, page, ALL);
			assert_true(is_large(2));
		}
	}
}

static void test_all_with_less(void **state)
{
	(void)state;
	start(1);
	for (uint64_t page = FIRST; page < FIRST + NPT_ENTRIES; page++)
		set(1, page, NPT_MAY_READ);
	assert_true(is_large(1));
	assert_false(entry(1, TABLE) & WRITE);
	assert_true(entry(1, TABLE) & NO_EXECUTE);
}

static void test_use(void **state)
{
	(void)state;
	start(2);
	assert_false(entry(0, TABLE) & NO_EXECUTE);
	set(1, PAGE, NPT_MAY_READ | NPT_MAY_WRITE);
	npt_view_part_uses();
	/* No page is open to writes and fetches at once. */
	assert_true(is_large(0));
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
		assert_true(vmpl == 1 || (entry(vmpl, TABLE) & NO_EXECUTE));
		for (uint64_t page = FIRST; page < FIRST + NPT_ENTRIES; page++)
			assert_true(npt_private_view(vmpl)->leaves[page] & NO_EXECUTE);
	}
	assert_int_equal(npt_private_view(0)->leaves[0xa0], 0); /* no RAM */
	assert_int_equal(npt_use((uint64_t)PAGE << ABI_PAGE_SHIFT), CODE_WRITTEN);
	npt_view_set_use((uint64_t)PAGE << ABI_PAGE_SHIFT, CODE_EXECUTED);
	set(0, PAGE, ALL);
	assert_false(is_large(0));
	npt_view_set_use((uint64_t)PAGE << ABI_PAGE_SHIFT, CODE_WRITTEN);
	set(0, PAGE, ALL);
	assert_true(is_large(0));
}

static void test_hidden(void **state)
{
	(void)state;
	start(1);
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
		npt_rights(vmpl)[PAGE] = 0;
	assert_true(npt_view_set_leaves(PAGE, true));
	npt_view_fold(PAGE, 1);
	assert_false(is_large(0));
	assert_int_equal(npt_private_view(0)->leaves[PAGE], 0);
	assert_int_not_equal(npt_private_view(0)->leaves[PAGE + 1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_is_one_page),
		cmocka_unit_test(test_one_page_with_less),
		cmocka_unit_test(test_all_with_less),
		cmocka_unit_test(test_use),
		cmocka_unit_test(test_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
