/* SPDX-License-Identifier: MIT */
#include "machine/hv/memory/npt.h"

#include "machine/hv/memory/npt_view.h"
#include "machine/hv/memory/stale.h"
#include "machine/hv/memory/tlb.h"

#define NOBODY (~0u)

static bool may(uint64_t page, unsigned int vmpl, unsigned int perms)
{
	return rmp_access(guest_rmp_table(), page, vmpl, perms) == RMP_DONE;
}

/*
 * One nested table cannot tell user from supervisor fetches: a page that either may execute is
 * executable for both.
 */
static uint8_t rights_by_rmp(uint64_t page, unsigned int vmpl)
{
	uint8_t rights = NPT_MAY_READ;

	if (!may(page, vmpl, RMP_PERM_READ))
		return 0;
	if (may(page, vmpl, RMP_PERM_WRITE))
		rights |= NPT_MAY_WRITE;
	if (may(page, vmpl, RMP_PERM_EXEC_USER) || may(page, vmpl, RMP_PERM_EXEC_SUPER))
		rights |= NPT_MAY_EXECUTE;
	return rights;
}

/* Writes all leaf entries of a page. Returns whether one of them lost something. */
static bool set_leaves(uint64_t page, bool hidden)
{
	bool shrinks = npt_view_set_leaves(page, hidden);

	return stale_set_leaves(page) || shrinks;
}

/* After an instruction of the guest: CPUs may keep what the page loses. */
static void change_rights(uint64_t page, unsigned int vmpl)
{
	uint8_t *rights = &npt_rights(vmpl)[page];
	uint8_t now = rights_by_rmp(page, vmpl);

	if (*rights & ~now)
		stale_keep(vmpl, page);
	*rights = now;
	stale_change(vmpl, page, now, true);
}

/* By the host: nobody keeps anything. */
static void replace_rights(uint64_t page, unsigned int vmpl, uint8_t rights)
{
	npt_rights(vmpl)[page] = rights;
	stale_change(vmpl, page, rights, false);
}

void npt_sync(uint64_t gpa, uint64_t count)
{
	uint64_t page = guest_page(gpa), end = page + count;
	bool shrinks = false;

	if (end > guest_rmp_table()->count)
		end = guest_rmp_table()->count;
	for (uint64_t i = page; i < end; i++) {
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			change_rights(i, vmpl);
		shrinks = set_leaves(i, false) || shrinks;
	}
	npt_view_fold(page, end - page);
	if (shrinks)
		tlb_shootdown();
	stale_settle(page, count);
}

void npt_hide(uint64_t page, uint64_t count)
{
	bool shrinks = false;

	for (uint64_t i = page; i < page + count; i++) {
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			replace_rights(i, vmpl, 0);
		shrinks = set_leaves(i, true) || shrinks;
	}
	npt_view_fold(page, count);
	if (shrinks)
		tlb_shootdown();
}

void npt_show(uint64_t page, uint64_t count)
{
	for (uint64_t i = page; i < page + count; i++) {
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			replace_rights(i, vmpl, rights_by_rmp(i, vmpl));
		set_leaves(i, false);
	}
	npt_view_fold(page, count);
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
	uint64_t page = guest_page(gpa);
	enum rmp_status status = rmp_access(guest_rmp_table(), page, vmpl, perms);

	if (status == RMP_DONE || !permits(stale_rights(vcpu, vmpl, page), perms))
		return status;
	return RMP_DONE;
}

void npt_set_use(uint64_t gpa, enum code_use use)
{
	npt_view_set_use(gpa, use);
	npt_sync(gpa, 1);
}

void npt_enter(unsigned int vcpu)
{
	static unsigned int first = NOBODY;
	static bool parted;

	if (parted || vcpu == first)
		return;
	if (first == NOBODY) {
		first = vcpu;
		return;
	}
	parted = true;
	npt_view_part_uses();
	stale_part_uses();
	tlb_shootdown();
}

uint64_t npt_root(unsigned int vcpu, unsigned int vmpl, bool paging, bool *stale)
{
	const struct npt_view *view = stale_view(vcpu, vmpl);

	*stale = view != NULL;
	if (!view)
		view = npt_private_view(vmpl);
	return (uint64_t)(paging ? view->root_paging : view->root_flat);
}

void npt_init(void)
{
	npt_view_init();
	npt_show(0, guest_layout.low_end);
	npt_show(GUEST_PAGE_EXTRA, guest_layout.extra_pages);
	npt_show(guest_layout.flash, GUEST_PAGE_4G - guest_layout.flash);
	if (guest_layout.high_end > GUEST_PAGE_4G)
		npt_show(GUEST_PAGE_4G, guest_layout.high_end - GUEST_PAGE_4G);
}
