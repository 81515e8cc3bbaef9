/* SPDX-License-Identifier: MIT */
#include "machine/hv/memory/npt_view.h"

#include <string.h>

#include "machine/hv/base/cpu.h"
#include "machine/hv/base/page.h"
#include "machine/hv/memory/guest.h"

#define GIB (1ull << 30)

static struct {
	uint8_t *uses; /* of each page: an enum code_use */
	struct npt_view shared;
	struct npt_view private[SNP_VMPL_COUNT];
	uint8_t *rights[SNP_VMPL_COUNT];
} views;

enum code_use npt_use(uint64_t gpa)
{
	return views.uses[guest_page(gpa)];
}

void npt_view_set_use(uint64_t gpa, enum code_use use)
{
	views.uses[guest_page(gpa)] = (uint8_t)use;
}

uint8_t *npt_rights(unsigned int vmpl)
{
	return views.rights[vmpl];
}

const struct npt_view *npt_private_view(unsigned int vmpl)
{
	return &views.private[vmpl];
}

/* What its use leaves of a page's rights. */
static uint64_t as_used(uint64_t page, uint64_t leaf)
{
	if (views.uses[page] == CODE_WRITTEN)
		return leaf | NPT_NO_EXECUTE;
	return views.uses[page] == CODE_EXECUTED ? leaf & ~NPT_WRITE : leaf;
}

uint64_t npt_private_leaf(uint64_t page, uint8_t rights)
{
	uint64_t leaf = guest_frame(page) | NPT_TABLE;

	if (!(rights & NPT_MAY_READ))
		return 0;
	if (!(rights & NPT_MAY_WRITE))
		leaf &= ~NPT_WRITE;
	if (!(rights & NPT_MAY_EXECUTE))
		leaf |= NPT_NO_EXECUTE;
	return as_used(page, leaf);
}

static uint64_t shared_leaf(uint64_t page)
{
	const struct rmp_entry *entry = guest_rmp(page << ABI_PAGE_SHIFT);

	if (!entry || (entry->flags & RMP_ASSIGNED))
		return 0;
	return as_used(page, guest_frame(page) | NPT_TABLE);
}

bool npt_view_set_leaves(uint64_t page, bool hidden)
{
	bool shrinks = npt_set_leaf(&views.shared.leaves[page], hidden ? 0 : shared_leaf(page));

	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
		if (npt_set_leaf(&views.private[vmpl].leaves[page],
				 npt_private_leaf(page, views.rights[vmpl][page])))
			shrinks = true;
	return shrinks;
}

/* The entry of the second level for 512 leaf entries that may be one page. */
static uint64_t fold_entry(const uint64_t *leaves)
{
	uint64_t link = (uint64_t)leaves | NPT_TABLE;

	if (!(leaves[0] & NPT_PRESENT) || (leaves[0] & (ABI_PAGE_SIZE_2M - ABI_PAGE_SIZE)))
		return link;
	for (uint64_t i = 1; i < NPT_ENTRIES; i++)
		if (leaves[i] != leaves[0] + i * ABI_PAGE_SIZE)
			return link;
	return leaves[0] | NPT_LARGE;
}

static void fold(struct npt_view *view, uint64_t table)
{
	view->level2[table] = fold_entry(view->leaves + table * NPT_ENTRIES);
}

void npt_view_fold(uint64_t page, uint64_t count)
{
	for (uint64_t table = page / NPT_ENTRIES; table * NPT_ENTRIES < page + count; table++) {
		fold(&views.shared, table);
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			fold(&views.private[vmpl], table);
	}
}

void npt_expose(uint64_t gpa, bool table)
{
	uint64_t page = guest_page(gpa);
	uint64_t leaf = guest_frame(page) | NPT_TABLE;

	/* Walks count as writes. */
	if (guest_is_ram(gpa))
		views.shared.leaves[page] = as_used(page, table ? leaf : leaf & ~NPT_WRITE);
	if (guest_is_ram(gpa))
		fold(&views.shared, page / NPT_ENTRIES);
}

/* A root with low at gPA 0 and high at the C-bit. */
static uint64_t *new_root(const struct npt_view *low, const struct npt_view *high)
{
	uint64_t *root = page_take(1);

	root[0] = (uint64_t)low->level3 | NPT_TABLE;
	root[(HV_C_BIT >> 39) % NPT_ENTRIES] = (uint64_t)high->level3 | NPT_TABLE;
	return root;
}

static void link_leaves(struct npt_view *view, uint64_t *leaves)
{
	uint64_t count = guest_rmp_table()->count;
	uint64_t gibs = (count * ABI_PAGE_SIZE + GIB - 1) / GIB;

	view->level3 = page_take(1);
	view->level2 = page_take(gibs);
	view->leaves = leaves;
	for (uint64_t i = 0; i < gibs; i++)
		view->level3[i] = (uint64_t)(view->level2 + i * NPT_ENTRIES) | NPT_TABLE;
	for (uint64_t i = 0; i * NPT_ENTRIES < count; i++)
		view->level2[i] = (uint64_t)(leaves + i * NPT_ENTRIES) | NPT_TABLE;
}

void npt_view_make(struct npt_view *view, uint64_t *leaves)
{
	link_leaves(view, leaves);
	view->root_paging = new_root(&views.shared, view);
	view->root_flat = new_root(view, view);
}

/* Pages of 2 MiB stay what they are: all of their leaf entries change alike. */
static void forbid_execution(struct npt_view *view, uint64_t count)
{
	for (uint64_t table = 0; table * NPT_ENTRIES < count; table++)
		if (view->level2[table] & NPT_LARGE)
			view->level2[table] |= NPT_NO_EXECUTE;
	npt_forbid_execution(view->leaves, count);
}

void npt_view_part_uses(void)
{
	uint64_t count = guest_rmp_table()->count;

	memset(views.uses, CODE_WRITTEN, count);
	forbid_execution(&views.shared, count);
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
		forbid_execution(&views.private[vmpl], count);
}

void npt_view_init(void)
{
	uint64_t count = guest_rmp_table()->count;
	uint64_t leaf_pages = page_count(count * sizeof(uint64_t));

	views.uses = page_take(page_count(count));
	memset(views.uses, CODE_BOTH, count);
	link_leaves(&views.shared, page_take(leaf_pages));
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
		npt_view_make(&views.private[vmpl], page_take(leaf_pages));
		/* Whole tables of entries. */
		views.rights[vmpl] = page_take(page_count(count + NPT_ENTRIES));
	}
}
