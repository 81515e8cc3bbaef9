/* SPDX-License-Identifier: MIT */
#include "machine/hv/memory/page_state.h"

#include <string.h>

#include "machine/hv/base/log.h"
#include "machine/hv/base/page.h"
#include "machine/hv/memory/iommu.h"
#include "machine/hv/memory/npt.h"

#define CONVERSIONS_LOGGED 64u /* the log is not the guest's to fill */
#define ATTRIBUTE_SHARED 1u    /* the host gave the page out as shared: it stays so until told */

static uint8_t *attributes; /* one for each page */

void page_state_init(void)
{
	attributes = page_take(page_count(guest_rmp_table()->count));
}

/*
 * What the memory encryption does to a page that changes sides: the other side sees other bytes.
 * Going back and forth without a write gives the old bytes again, as on hardware. A host that keeps
 * the sides of a page in two places gives out a cleared page at each change, which the encryption
 * makes noise on the private side.
 */
static void change_bytes(uint64_t page, bool make_private)
{
	uint64_t *words = (uint64_t *)guest_frame(page);
	uint64_t key = (page + 1) * 0x9e3779b97f4a7c15ull;

	if (hv_mailbox()->host.sides_apart)
		memset(words, 0, ABI_PAGE_SIZE);
	if (hv_mailbox()->host.sides_apart && !make_private)
		return;
	for (unsigned int i = 0; i < ABI_PAGE_SIZE / sizeof(*words); i++) {
		words[i] ^= key;
		key = (key << 7 | key >> 57) + 0x632be59bd9b4e019ull;
	}
}

/* The page goes to where devices reach it, or away from there, with its bytes. */
static void move(uint64_t page, bool show)
{
	uint64_t from = guest_frame(page), to;

	if (guest_layout.shown)
		guest_layout.shown[page] = show;
	to = guest_frame(page);
	if (to != from)
		memcpy((void *)to, (const void *)from, ABI_PAGE_SIZE);
}

/*
 * Changes the side of one 4 KiB page or one whole 2 MiB page; the RMP has the right size. show:
 * devices reach it then. Nobody may look while the bytes change.
 */
static bool change_side(uint64_t page, unsigned int size, bool make_private, bool show)
{
	uint64_t count = size == SNP_PAGE_2M ? RMP_PAGES_2M : 1;
	struct rmp *rmp = guest_rmp_table();
	bool changes = !!(rmp->entries[page].flags & RMP_ASSIGNED) != make_private;
	uint32_t result = SNP_RESULT_OK;

	if (changes)
		result = make_private ? rmp_assign(rmp, page, size) : rmp_unassign(rmp, page, size);
	if (result != SNP_RESULT_OK)
		return false;
	iommu_unmap(page, count);
	npt_hide(page, count);
	for (uint64_t i = page; i < page + count; i++) {
		move(i, show);
		if (changes)
			change_bytes(i, make_private);
	}
	npt_show(page, count);
	if (show)
		iommu_map(page, count);
	return true;
}

static bool has_flag(uint64_t page, uint8_t flag)
{
	return guest_rmp_table()->entries[page].flags & flag;
}

/* Once the pages have changed, and not where that was refused. */
static void set_attributes(uint64_t page, uint64_t count, bool make_private)
{
	memset(&attributes[page], make_private ? 0 : ATTRIBUTE_SHARED, count);
}

static bool page_state_4k(uint64_t page, bool make_private)
{
	bool is_shown = attributes[page] == ATTRIBUTE_SHARED;

	if (has_flag(page, RMP_ASSIGNED) != make_private || is_shown == make_private) {
		if (has_flag(page, RMP_ASSIGNED) != make_private && has_flag(page, RMP_SIZE_2M))
			rmp_smash(guest_rmp_table(), page);
		if (!change_side(page, SNP_PAGE_4K, make_private, !make_private))
			return false;
	}
	set_attributes(page, 1, make_private);
	return true;
}

/* Whether all pages of a 2 MiB page are as one would have to be to change as a whole. */
static bool uniform(uint64_t page, bool assigned)
{
	for (uint64_t i = 0; i < RMP_PAGES_2M; i++) {
		if (!guest_is_ram((page + i) << ABI_PAGE_SHIFT) ||
		    has_flag(page + i, RMP_ASSIGNED) != assigned)
			return false;
		if (assigned && !has_flag(page + i, RMP_SIZE_2M))
			return false;
	}
	return true;
}

bool page_state_change(uint64_t gpa, bool huge, bool make_private)
{
	uint64_t page = guest_page(gpa);
	uint64_t count = huge ? RMP_PAGES_2M : 1;
	bool ok = true;

	if (gpa % ABI_PAGE_SIZE || page % count)
		return false;
	for (uint64_t i = 0; i < count; i++)
		if (!guest_is_ram((page + i) << ABI_PAGE_SHIFT))
			return false;
	if (huge && uniform(page, !make_private)) {
		if (!change_side(page, SNP_PAGE_2M, make_private, !make_private))
			return false;
		set_attributes(page, count, make_private);
		return true;
	}
	for (uint64_t i = 0; i < count; i++)
		ok = page_state_4k(page + i, make_private) && ok;
	return ok;
}

static bool all_private_by_attribute(uint64_t page)
{
	for (uint64_t i = 0; i < RMP_PAGES_2M; i++)
		if (attributes[page + i] != 0)
			return false;
	return true;
}

static bool assign_on_fault(uint64_t gpa)
{
	uint64_t page = guest_page(gpa);
	uint64_t first = page & ~(uint64_t)(RMP_PAGES_2M - 1);

	if (!guest_is_ram(gpa) || attributes[page] != 0)
		return false;
	if (first + RMP_PAGES_2M <= guest_rmp_table()->count && uniform(first, false) &&
	    all_private_by_attribute(first))
		return change_side(first, SNP_PAGE_2M, true, false);
	return change_side(page, SNP_PAGE_4K, true, false);
}

static bool convert(unsigned int vcpu, unsigned int vmpl, uint64_t gpa, bool make_private)
{
	static unsigned int conversions;
	uint64_t page = gpa & ~HV_C_BIT & ~(uint64_t)(ABI_PAGE_SIZE - 1);

	if (!hv_mailbox()->host.converts || !page_state_change(page, false, make_private))
		return false;
	if (conversions < CONVERSIONS_LOGGED) {
		conversions++;
		hv_log("VMPL %u of vCPU %u: an access makes page %lx %s", vmpl, vcpu, page,
		       make_private ? "private" : "shared");
	}
	return true;
}

bool page_state_make_private(unsigned int vcpu, unsigned int vmpl, uint64_t gpa)
{
	return assign_on_fault(gpa) || convert(vcpu, vmpl, gpa, true);
}

bool page_state_make_shared(unsigned int vcpu, unsigned int vmpl, uint64_t gpa)
{
	return convert(vcpu, vmpl, gpa, false);
}
