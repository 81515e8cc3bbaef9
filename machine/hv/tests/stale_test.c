/* SPDX-License-Identifier: MIT */
/*
 * Which rights a CPU keeps that its VMPL lost, and what ends them. The machine around it is played
 * here: two vCPUs that are never in the guest, and views of 64 MiB for each VMPL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "machine/hv/base/cpu.h"
#include "machine/hv/base/page.h"
#include "machine/hv/memory/npt_view.h"
#include "machine/hv/memory/stale.h"
#include "machine/hv/memory/tlb.h"

#define CPUS 2u
#define TABLES_OF_VIEW 66u
#define PAGES ((uint64_t)TABLES_OF_VIEW * NPT_ENTRIES)
#define ALL (NPT_MAY_READ | NPT_MAY_WRITE | NPT_MAY_EXECUTE)
#define PAGE 1000u

static struct npt_view views[SNP_VMPL_COUNT];
static uint8_t rights[SNP_VMPL_COUNT][PAGES];

void *page_take(uint64_t count)
{
	void *at = aligned_alloc(ABI_PAGE_SIZE, count * ABI_PAGE_SIZE);

	for (uint64_t i = 0; i < count * ABI_PAGE_SIZE; i++)
		((uint8_t *)at)[i] = 0;
	return at;
}

unsigned int cpu_count(void)
{
	return CPUS;
}

void cpu_drive_out(unsigned int id)
{
	(void)id;
}

uint8_t *npt_rights(unsigned int vmpl)
{
	return rights[vmpl];
}

uint64_t npt_private_leaf(uint64_t page, uint8_t r)
{
	uint64_t leaf = page << ABI_PAGE_SHIFT | NPT_TABLE;

	if (!(r & NPT_MAY_READ))
		return 0;
	leaf = r & NPT_MAY_WRITE ? leaf : leaf & ~NPT_WRITE;
	return r & NPT_MAY_EXECUTE ? leaf : leaf | NPT_NO_EXECUTE;
}

const struct npt_view *npt_private_view(unsigned int vmpl)
{
	return &views[vmpl];
}

static void link_leaves(struct npt_view *view, uint64_t *leaves)
{
	view->level3 = page_take(1);
	view->level2 = page_take(1);
	view->leaves = leaves;
	view->level3[0] = (uint64_t)view->level2 | NPT_TABLE;
	for (unsigned int i = 0; i < TABLES_OF_VIEW; i++)
		view->level2[i] = (uint64_t)(leaves + i * NPT_ENTRIES) | NPT_TABLE;
}

void npt_view_make(struct npt_view *view, uint64_t *leaves)
{
	link_leaves(view, leaves);
	view->root_paging = page_take(1);
	view->root_paging[256] = (uint64_t)view->level3 | NPT_TABLE;
}

static void guest_sets(unsigned int vmpl, uint64_t page, uint8_t now)
{
	if (rights[vmpl][page] & ~now)
		stale_keep(vmpl, page);
	rights[vmpl][page] = now;
	stale_change(vmpl, page, now, true);
	views[vmpl].leaves[page] = npt_private_leaf(page, now);
	stale_set_leaves(page);
	stale_settle(page, 1);
}

static bool host_sets(unsigned int vmpl, uint64_t page, uint8_t now)
{
	bool lost;

	rights[vmpl][page] = now;
	stale_change(vmpl, page, now, false);
	views[vmpl].leaves[page] = npt_private_leaf(page, now);
	lost = stale_set_leaves(page);
	stale_settle(page, 1);
	return lost;
}

/* What the tables let that vCPU do, from the root on as the CPU walks them. */
static uint64_t walk(unsigned int vcpu, unsigned int vmpl, uint64_t page)
{
	const uint64_t *table;

	if (!stale_exists(vcpu, vmpl))
		return views[vmpl].leaves[page];
	table = stale_view(vcpu, vmpl)->root_paging;
	table = (const uint64_t *)(table[256] & ~0xfffull);
	table = (const uint64_t *)(table[0] & ~0xfffull);
	table = (const uint64_t *)(table[page / NPT_ENTRIES] & ~0xfffull);
	return table[page % NPT_ENTRIES];
}

static void expect(unsigned int vcpu, unsigned int vmpl, uint64_t page, uint8_t wanted)
{
	assert_int_equal(walk(vcpu, vmpl, page), npt_private_leaf(page, wanted));
}

static int set_up(void **state)
{
	(void)state;
	for (unsigned int vcpu = 0; vcpu < CPUS; vcpu++)
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			stale_flush(vcpu, vmpl);
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
		if (!views[vmpl].leaves)
			link_leaves(&views[vmpl], page_take(TABLES_OF_VIEW));
		for (uint64_t page = 0; page < PAGES; page++) {
			rights[vmpl][page] = ALL;
			views[vmpl].leaves[page] = npt_private_leaf(page, ALL);
		}
	}
	tlb_enter(0, 2);
	tlb_enter(1, 2);
	tlb_enter(1, 0);
	return 0;
}

static void test_keeps(void **state)
{
	(void)state;
	guest_sets(2, PAGE, NPT_MAY_READ);
	expect(0, 2, PAGE, ALL);
	expect(1, 2, PAGE, ALL);
	assert_int_equal(stale_rights(1, 2, PAGE), ALL);
	assert_false(stale_exists(1, 0)); /* another VMPL's business */
	guest_sets(2, PAGE, 0);
	expect(0, 2, PAGE, ALL);
	expect(0, 2, PAGE + 1, ALL);
	expect(0, 2, PAGE + NPT_ENTRIES, ALL);
	guest_sets(0, PAGE, 0);
	assert_false(stale_exists(0, 0)); /* that vCPU has not run there */
	expect(0, 0, PAGE, 0);
	expect(1, 0, PAGE, ALL);
}

/* What comes later is kept and gained as what was there first. */
static void test_later_changes(void **state)
{
	(void)state;
	guest_sets(2, PAGE + 1, NPT_MAY_READ);
	guest_sets(2, PAGE + 2, NPT_MAY_WRITE | NPT_MAY_READ);
	guest_sets(2, PAGE + 2, 0);
	expect(0, 2, PAGE + 2, ALL);
	stale_flush(0, 2);
	expect(0, 2, PAGE + 1, NPT_MAY_READ);
	expect(0, 2, PAGE + 2, 0);
	tlb_enter(0, 2);
	guest_sets(2, PAGE, NPT_MAY_READ);
	guest_sets(2, PAGE + 1, NPT_MAY_READ | NPT_MAY_EXECUTE);
	expect(0, 2, PAGE + 1, NPT_MAY_READ | NPT_MAY_EXECUTE);
	expect(0, 2, PAGE, ALL);
}

static void test_given_back(void **state)
{
	(void)state;
	guest_sets(2, PAGE, 0);
	guest_sets(2, PAGE + 5, 0);
	guest_sets(2, PAGE, ALL);
	assert_true(stale_exists(0, 2));
	guest_sets(2, PAGE + 5, ALL);
	assert_false(stale_exists(0, 2)); /* nothing is left that is not a right */
	expect(0, 2, PAGE, ALL);
}

static void test_host(void **state)
{
	(void)state;
	guest_sets(2, PAGE, 0);
	guest_sets(2, PAGE + 1, 0);
	assert_true(host_sets(2, PAGE, 0));
	expect(0, 2, PAGE, 0);
	expect(0, 2, PAGE + 1, ALL);
	assert_false(host_sets(2, PAGE, ALL));
	expect(0, 2, PAGE, ALL);
	assert_true(host_sets(2, PAGE + 1, 0));
	assert_false(stale_exists(0, 2));
	assert_false(stale_exists(1, 2));
}

static void test_flush_of_one(void **state)
{
	(void)state;
	guest_sets(2, PAGE, 0);
	guest_sets(0, PAGE, 0);
	stale_flush(1, 0);
	expect(1, 0, PAGE, 0);
	expect(1, 2, PAGE, ALL);
	stale_flush(1, 2);
	expect(1, 2, PAGE, 0);
	expect(0, 2, PAGE, ALL);
	guest_sets(2, PAGE + 1, 0); /* vCPU 1 has not run there since */
	expect(1, 2, PAGE + 1, 0);
	expect(0, 2, PAGE + 1, ALL);
	assert_true(tlb_enter(1, 1)); /* its CPU flushes, too */
}

static void test_broadcast(void **state)
{
	(void)state;
	guest_sets(2, PAGE, 0);
	stale_broadcast(1);
	expect(0, 2, PAGE, ALL);
	stale_synchronize(0); /* not the vCPU of the INVLPGB */
	expect(0, 2, PAGE, ALL);
	stale_synchronize(1);
	expect(0, 2, PAGE, 0);
	expect(1, 2, PAGE, 0);
	guest_sets(2, PAGE + 1, 0);
	stale_synchronize(1); /* there was no other INVLPGB */
	expect(0, 2, PAGE + 1, ALL);
}

static void test_lost_after_broadcast(void **state)
{
	(void)state;
	guest_sets(2, PAGE, 0);
	stale_broadcast(0);
	guest_sets(2, PAGE + 1, 0);
	guest_sets(2, PAGE + NPT_ENTRIES, 0);
	stale_synchronize(0);
	expect(0, 2, PAGE, 0);
	expect(0, 2, PAGE + 1, ALL);
	expect(0, 2, PAGE + NPT_ENTRIES, ALL);
}

/* Room for 64 tables: the first one goes when the 65th comes. */
static void test_bounded(void **state)
{
	(void)state;
	tlb_flushed(0, 2);
	for (uint64_t i = 0; i < 64; i++)
		guest_sets(2, i * NPT_ENTRIES, 0);
	expect(1, 2, 0, ALL);
	guest_sets(2, 64 * NPT_ENTRIES, 0);
	expect(1, 2, 0, 0);
	expect(1, 2, NPT_ENTRIES, ALL);
	expect(1, 2, 64 * NPT_ENTRIES, ALL);
	guest_sets(2, 65 * NPT_ENTRIES, 0);
	expect(1, 2, NPT_ENTRIES, 0);
	expect(1, 2, 2 * NPT_ENTRIES, ALL);
}

/* Where pages stop being open to writes and fetches at once, that holds for what is kept, too. */
static void test_parted(void **state)
{
	(void)state;
	guest_sets(2, PAGE, NPT_MAY_READ);
	assert_true(host_sets(2, PAGE + 1, 0));
	stale_part_uses();
	expect(0, 2, PAGE, NPT_MAY_READ | NPT_MAY_WRITE);
	expect(1, 2, PAGE + 2, NPT_MAY_READ | NPT_MAY_WRITE);
	expect(0, 2, PAGE + 1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_keeps, set_up),
		cmocka_unit_test_setup(test_later_changes, set_up),
		cmocka_unit_test_setup(test_given_back, set_up),
		cmocka_unit_test_setup(test_host, set_up),
		cmocka_unit_test_setup(test_flush_of_one, set_up),
		cmocka_unit_test_setup(test_broadcast, set_up),
		cmocka_unit_test_setup(test_lost_after_broadcast, set_up),
		cmocka_unit_test_setup(test_bounded, set_up),
		cmocka_unit_test_setup(test_parted, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
