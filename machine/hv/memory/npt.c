/* SPDX-License-Identifier: MIT */
#include "machine/hv/memory/npt.h"

#include <string.h>

#include "machine/hv/base/log.h"
#include "machine/hv/base/page.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/memory/npt_view.h"
#include "machine/hv/memory/stale.h"
#include "machine/hv/plane/vcpu.h"

#define NPT_GIB (1ull << 30)

/* The PC's hole for video memory; the RAM above it shadows the ROMs (main.c). */
#define HOLE_START 0xa0000ull
#define HOLE_END 0xc0000ull

#define ATTRIBUTE_SHARED 1u /* the host gave the page out as shared: it stays so until told */

struct npt {
	struct rmp rmp;
	uint8_t *attributes; /* one for each page */
	uint8_t *uses;	     /* the same: an enum code_use */
	struct npt_view shared;
	struct npt_view private[SNP_VMPL_COUNT];
	uint8_t *rights[SNP_VMPL_COUNT]; /* NPT_MAY_*, what the RMP leaves to each VMPL */
	uint64_t *root_paging[SNP_VMPL_COUNT];
	uint64_t *root_flat[SNP_VMPL_COUNT];
	volatile uint64_t generation; /* grows when translations lose rights */
};

static struct npt npt;

static uint64_t pages_for(uint64_t bytes)
{
	return (bytes + ABI_PAGE_SIZE - 1) / ABI_PAGE_SIZE;
}

static uint64_t page_of(uint64_t gpa)
{
	return (gpa & ~HV_C_BIT) >> ABI_PAGE_SHIFT;
}

static bool page_is_ram(uint64_t page)
{
	if (page >= HOLE_START >> ABI_PAGE_SHIFT && page < HOLE_END >> ABI_PAGE_SHIFT)
		return false;
	return page < npt.rmp.count;
}

bool npt_is_ram(uint64_t gpa)
{
	return page_is_ram(page_of(gpa));
}

struct rmp *npt_rmp_table(void)
{
	return &npt.rmp;
}

struct rmp_entry *npt_rmp(uint64_t gpa)
{
	return npt_is_ram(gpa) ? &npt.rmp.entries[page_of(gpa)] : NULL;
}

/* What its use leaves of a page's rights. */
static uint64_t as_used(uint64_t page, uint64_t leaf)
{
	if (npt.uses[page] == CODE_WRITTEN)
		return leaf | NPT_NO_EXECUTE;
	return npt.uses[page] == CODE_EXECUTED ? leaf & ~NPT_WRITE : leaf;
}

static uint64_t shared_leaf(uint64_t page)
{
	if (!page_is_ram(page) || (npt.rmp.entries[page].flags & RMP_ASSIGNED))
		return 0;
	return as_used(page, page << ABI_PAGE_SHIFT | NPT_TABLE);
}

static bool may(uint64_t page, unsigned int vmpl, unsigned int perms)
{
	return rmp_access(&npt.rmp, page, vmpl, perms) == RMP_DONE;
}

/*
 * One nested table cannot tell user from supervisor fetches: a page that either may execute is
 * executable for both.
 */
static uint8_t rights_by_rmp(uint64_t page, unsigned int vmpl)
{
	uint8_t rights = NPT_MAY_READ;

	if (!page_is_ram(page) || !may(page, vmpl, RMP_PERM_READ))
		return 0;
	if (may(page, vmpl, RMP_PERM_WRITE))
		rights |= NPT_MAY_WRITE;
	if (may(page, vmpl, RMP_PERM_EXEC_USER) || may(page, vmpl, RMP_PERM_EXEC_SUPER))
		rights |= NPT_MAY_EXECUTE;
	return rights;
}

const uint8_t *npt_rights(unsigned int vmpl)
{
	return npt.rights[vmpl];
}

uint64_t npt_private_leaf(uint64_t page, uint8_t rights)
{
	uint64_t leaf = page << ABI_PAGE_SHIFT | NPT_TABLE;

	if (!(rights & NPT_MAY_READ))
		return 0;
	if (!(rights & NPT_MAY_WRITE))
		leaf &= ~NPT_WRITE;
	if (!(rights & NPT_MAY_EXECUTE))
		leaf |= NPT_NO_EXECUTE;
	return as_used(page, leaf);
}

/* All leaf entries of a page, by rights and use. Returns whether one of them lost something. */
static bool set_leaves(uint64_t page, uint64_t shared)
{
	bool shrinks = npt_set_leaf(&npt.shared.leaves[page], shared);

	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
		if (npt_set_leaf(&npt.private[vmpl].leaves[page],
				 npt_private_leaf(page, npt.rights[vmpl][page])))
			shrinks = true;
	return stale_set_leaves(page) || shrinks;
}

/* By a guest's hand: CPUs may keep what the page loses. */
static void change_rights(uint64_t page, unsigned int vmpl)
{
	uint8_t rights = rights_by_rmp(page, vmpl);

	if (npt.rights[vmpl][page] & ~rights)
		stale_keep(vmpl, page);
	npt.rights[vmpl][page] = rights;
	stale_gain(vmpl, page, rights);
}

/* By the host's hand: nobody keeps anything. */
static void replace_rights(uint64_t page, unsigned int vmpl, uint8_t rights)
{
	npt.rights[vmpl][page] = rights;
	stale_replace(vmpl, page, rights);
}

void npt_sync(uint64_t gpa, uint64_t count)
{
	uint64_t page = page_of(gpa), end = page + count;
	bool shrinks = false;

	if (end > npt.rmp.count)
		end = npt.rmp.count;
	for (uint64_t i = page; i < end; i++) {
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			change_rights(i, vmpl);
		shrinks = set_leaves(i, shared_leaf(i)) || shrinks;
	}
	if (shrinks)
		npt_shootdown();
	stale_settle(page, count);
}

/* After the host has changed the RMP. Rights only grow: hide() was before. */
static void sync_by_host(uint64_t page, uint64_t count)
{
	for (uint64_t i = page; i < page + count; i++) {
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			replace_rights(i, vmpl, rights_by_rmp(i, vmpl));
		set_leaves(i, shared_leaf(i));
	}
	stale_settle(page, count);
}

static bool permits(uint8_t rights, unsigned int perms)
{
	uint8_t wanted = NPT_MAY_READ;

	if (perms & RMP_PERM_WRITE)
		wanted |= NPT_MAY_WRITE;
	if (perms & (RMP_PERM_EXEC_USER | RMP_PERM_EXEC_SUPER))
		wanted |= NPT_MAY_EXECUTE;
	return !(wanted & ~rights);
}

enum rmp_status npt_access(unsigned int vcpu, unsigned int vmpl, uint64_t gpa, unsigned int perms)
{
	uint64_t page = page_of(gpa);
	enum rmp_status status = rmp_access(&npt.rmp, page, vmpl, perms);

	if (status == RMP_DONE || !permits(stale_rights(vcpu, vmpl, page), perms))
		return status;
	return RMP_DONE;
}

enum code_use npt_use(uint64_t gpa)
{
	return npt.uses[page_of(gpa)];
}

void npt_set_use(uint64_t gpa, enum code_use use)
{
	npt.uses[page_of(gpa)] = (uint8_t)use;
	npt_sync(gpa, 1);
}

uint64_t npt_generation(void)
{
	return npt.generation;
}

void npt_shootdown(void)
{
	npt.generation++;
	x86_fence();
	for (unsigned int i = 0; i < vcpu_count(); i++)
		vcpu_drive_out(vcpu_by_apic_id(i));
}

void npt_expose(uint64_t gpa, bool table)
{
	uint64_t page = page_of(gpa);
	uint64_t leaf = page << ABI_PAGE_SHIFT | NPT_TABLE;

	/* Walks count as writes. */
	if (page_is_ram(page))
		npt.shared.leaves[page] = as_used(page, table ? leaf : leaf & ~NPT_WRITE);
}

uint64_t npt_level2_pages(void)
{
	return (npt.rmp.count * ABI_PAGE_SIZE + NPT_GIB - 1) / NPT_GIB;
}

const struct npt_view *npt_shared_view(void)
{
	return &npt.shared;
}

const struct npt_view *npt_private_view(unsigned int vmpl)
{
	return &npt.private[vmpl];
}

static void view_init(struct npt_view *view)
{
	uint64_t count = npt.rmp.count;
	uint64_t gibs = npt_level2_pages();

	view->level3 = page_take(1);
	view->level2 = page_take(gibs);
	view->leaves = page_take(pages_for(count * sizeof(uint64_t)));
	for (uint64_t i = 0; i < gibs; i++)
		view->level3[i] = (uint64_t)(view->level2 + i * NPT_ENTRIES) | NPT_TABLE;
	for (uint64_t i = 0; i * NPT_ENTRIES < count; i++)
		view->level2[i] = (uint64_t)(view->leaves + i * NPT_ENTRIES) | NPT_TABLE;
}

uint64_t *npt_new_root(const struct npt_view *low, const struct npt_view *high)
{
	uint64_t *root = page_take(1);

	root[0] = (uint64_t)low->level3 | NPT_TABLE;
	root[(HV_C_BIT >> 39) % NPT_ENTRIES] = (uint64_t)high->level3 | NPT_TABLE;
	return root;
}

uint64_t npt_root(unsigned int vcpu, unsigned int vmpl, bool paging)
{
	if (stale_exists(vcpu, vmpl))
		return stale_root(vcpu, vmpl, paging);
	return (uint64_t)(paging ? npt.root_paging[vmpl] : npt.root_flat[vmpl]);
}

static void launch_range(const struct mailbox_pages *range)
{
	uint64_t page = range->gpa >> ABI_PAGE_SHIFT;

	for (uint64_t i = 0; i < range->count; i++) {
		bool vmsa = range->type == PSP_PAGE_TYPE_VMSA;

		if (!page_is_ram(page + i) || rmp_launch_page(&npt.rmp, page + i, vmsa))
			hv_panic("launch page %lx is not RAM or there twice",
				 (page + i) << ABI_PAGE_SHIFT);
	}
}

void npt_init(void)
{
	struct mailbox *m = hv_mailbox();

	if (m->guest_ram_size > MACHINE_GUEST_RAM_MAX || m->guest_ram_size % ABI_PAGE_SIZE)
		hv_panic("guest RAM of %lx bytes", m->guest_ram_size);
	npt.rmp.count = m->guest_ram_size / ABI_PAGE_SIZE;
	npt.rmp.entries = page_take(pages_for(npt.rmp.count * sizeof(struct rmp_entry)));
	m->rmp_offset = (uint64_t)npt.rmp.entries - MACHINE_HV_BASE;
	npt.attributes = page_take(pages_for(npt.rmp.count));
	npt.uses = page_take(pages_for(npt.rmp.count));
	memset(npt.uses, m->cpu_count > 1 ? CODE_WRITTEN : CODE_BOTH, npt.rmp.count);
	if (m->page_range_count > MAILBOX_PAGES_MAX)
		hv_panic("%u launch ranges", m->page_range_count);
	for (uint32_t i = 0; i < m->page_range_count; i++)
		launch_range(&m->pages[i]);

	view_init(&npt.shared);
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
		struct npt_view *private = &npt.private[vmpl];

		view_init(private);
		/* Whole tables of entries. */
		npt.rights[vmpl] = page_take(pages_for(npt.rmp.count + NPT_ENTRIES));
		npt.root_paging[vmpl] = npt_new_root(&npt.shared, private);
		npt.root_flat[vmpl] = npt_new_root(private, private);
	}
	sync_by_host(0, npt.rmp.count);
}

void *guest_ptr(uint64_t gpa, size_t size, enum guest_side side)
{
	const struct rmp_entry *entry = npt_rmp(gpa);
	uint64_t offset = gpa % ABI_PAGE_SIZE;

	if (!entry || size > ABI_PAGE_SIZE - offset)
		return NULL;
	if (!!(entry->flags & RMP_ASSIGNED) != (side == GUEST_PRIVATE))
		return NULL;
	return (void *)(gpa & ~HV_C_BIT);
}

bool guest_write_shared(uint64_t gpa, const void *from, size_t size)
{
	for (size_t done = 0; done < size;) {
		size_t part = ABI_PAGE_SIZE - (gpa + done) % ABI_PAGE_SIZE;
		void *at;

		if (part > size - done)
			part = size - done;
		at = guest_ptr(gpa + done, part, GUEST_SHARED);
		if (!at)
			return false;
		memcpy(at, (const uint8_t *)from + done, part);
		done += part;
	}
	return true;
}

/*
 * What the memory encryption does to a page that changes sides: the other side sees other bytes.
 * Going back and forth without a write gives the old bytes again, as on hardware.
 */
static void scramble(uint64_t page)
{
	uint64_t *words = (uint64_t *)(page << ABI_PAGE_SHIFT);
	uint64_t key = (page + 1) * 0x9e3779b97f4a7c15ull;

	for (unsigned int i = 0; i < ABI_PAGE_SIZE / sizeof(*words); i++) {
		words[i] ^= key;
		key = (key << 7 | key >> 57) + 0x632be59bd9b4e019ull;
	}
}

/* Takes pages out of every view, and out of what CPUs keep. */
static void hide(uint64_t page, uint64_t count)
{
	bool shrinks = false;

	for (uint64_t i = page; i < page + count; i++) {
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			replace_rights(i, vmpl, 0);
		shrinks = set_leaves(i, 0) || shrinks;
	}
	if (shrinks)
		npt_shootdown();
}

/* Changes the side of one 4 KiB page or one whole 2 MiB page; the RMP has the right size. */
static bool change_side(uint64_t page, unsigned int size, bool make_private)
{
	uint64_t count = size == SNP_PAGE_2M ? RMP_PAGES_2M : 1;
	uint32_t result = make_private ? rmp_assign(&npt.rmp, page, size)
				       : rmp_unassign(&npt.rmp, page, size);

	if (result != SNP_RESULT_OK)
		return false;
	/* Nobody may look while the bytes change. */
	hide(page, count);
	for (uint64_t i = 0; i < count; i++)
		scramble(page + i);
	sync_by_host(page, count);
	return true;
}

static bool is_assigned(uint64_t page)
{
	return npt.rmp.entries[page].flags & RMP_ASSIGNED;
}

static bool page_state_4k(uint64_t page, bool make_private)
{
	npt.attributes[page] = make_private ? 0 : ATTRIBUTE_SHARED;
	if (is_assigned(page) == make_private)
		return true;
	if (npt.rmp.entries[page].flags & RMP_SIZE_2M)
		rmp_smash(&npt.rmp, page);
	return change_side(page, SNP_PAGE_4K, make_private);
}

/* Whether all pages of a 2 MiB page are as one would have to be to change as a whole. */
static bool uniform(uint64_t page, bool assigned)
{
	for (uint64_t i = 0; i < RMP_PAGES_2M; i++) {
		if (!page_is_ram(page + i) || is_assigned(page + i) != assigned)
			return false;
		if (assigned && !(npt.rmp.entries[page + i].flags & RMP_SIZE_2M))
			return false;
	}
	return true;
}

bool npt_page_state(uint64_t gpa, bool huge, bool make_private)
{
	uint64_t page = page_of(gpa);
	uint64_t count = huge ? RMP_PAGES_2M : 1;
	bool ok = true;

	if (gpa % ABI_PAGE_SIZE || page % count)
		return false;
	for (uint64_t i = 0; i < count; i++)
		if (!page_is_ram(page + i))
			return false;
	if (huge && uniform(page, !make_private)) {
		memset(&npt.attributes[page], make_private ? 0 : ATTRIBUTE_SHARED, count);
		return change_side(page, SNP_PAGE_2M, make_private);
	}
	for (uint64_t i = 0; i < count; i++)
		ok = page_state_4k(page + i, make_private) && ok;
	return ok;
}

static bool all_private_by_attribute(uint64_t page)
{
	for (uint64_t i = 0; i < RMP_PAGES_2M; i++)
		if (npt.attributes[page + i] != 0)
			return false;
	return true;
}

bool npt_assign_on_fault(uint64_t gpa)
{
	uint64_t page = page_of(gpa);
	uint64_t first = page & ~(uint64_t)(RMP_PAGES_2M - 1);

	if (!page_is_ram(page) || npt.attributes[page] != 0)
		return false;
	if (first + RMP_PAGES_2M <= npt.rmp.count && uniform(first, false) &&
	    all_private_by_attribute(first))
		return change_side(first, SNP_PAGE_2M, true);
	return change_side(page, SNP_PAGE_4K, true);
}
