/* SPDX-License-Identifier: MIT */
#include "monitor/mem/guest_pages.h"

#include <string.h>

#include "abi/svsm.h"
#include "monitor/base/ranges.h"
#include "monitor/lock/lock.h"

#define STATE_BITS 2u
#define STATE_MASK 3u
#define STATES_PER_BYTE (8u / STATE_BITS)
#define STATE_OF_EACH 0x55u /* times a state: that state in each place of a byte */
#define PAGES_2M (ABI_PAGE_SIZE_2M / ABI_PAGE_SIZE)

/* A zeroed array says "taken", so that what nobody has declared is nobody's. */
_Static_assert(GUEST_PAGE_TAKEN == 0 && GUEST_PAGE_CALLING <= STATE_MASK, "states fit their bits");

static struct {
	struct lock lock;
	uint8_t *states;
	uint64_t count; /* pages below the end of RAM */
} pages = { .lock = { .rank = LOCK_RANK_GUEST_PAGES } };

static uint64_t page_count(enum arch_page_size size)
{
	return size == ARCH_PAGE_2M ? PAGES_2M : 1;
}

static enum guest_page_state state_get(uint64_t index)
{
	if (index >= pages.count)
		return GUEST_PAGE_TAKEN;

	return pages.states[index / STATES_PER_BYTE] >> (index % STATES_PER_BYTE * STATE_BITS) &
	       STATE_MASK;
}

static void state_set(uint64_t index, enum guest_page_state to)
{
	uint8_t *byte = &pages.states[index / STATES_PER_BYTE];
	unsigned int shift = index % STATES_PER_BYTE * STATE_BITS;

	*byte = (uint8_t)((*byte & ~(STATE_MASK << shift)) | (unsigned int)to << shift);
}

static bool range_aligned(const struct socle_range *range)
{
	uint64_t end;

	return gpa_aligned(gpa(range->gpa), ABI_PAGE_SIZE) && range->size % ABI_PAGE_SIZE == 0 &&
	       !__builtin_add_overflow(range->gpa, range->size, &end);
}

/* Ranges are aligned, not empty, and each starts where the one before has ended or later. */
static bool ranges_ok(const struct socle_range *ranges, uint32_t count)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!range_aligned(&ranges[i]) || ranges[i].size == 0 || ranges[i].gpa < end)
			return false;
		end = ranges[i].gpa + ranges[i].size;
	}
	return true;
}

static bool in_ram(const struct socle_params *params, const struct socle_range *range)
{
	return range_within_any(range, params->ram, params->ram_count);
}

static bool params_ok(const struct socle_params *params)
{
	if (params->ram_count == 0 || params->ram_count > SOCLE_PARAMS_RAM_MAX ||
	    params->loaded_count > SOCLE_PARAMS_LOADED_MAX)
		return false;
	if (!ranges_ok(params->ram, params->ram_count) ||
	    !ranges_ok(params->loaded, params->loaded_count))
		return false;
	if (!range_aligned(&params->region) || params->region.size == 0 ||
	    !in_ram(params, &params->region))
		return false;
	for (uint32_t i = 0; i < params->loaded_count; i++) {
		if (!in_ram(params, &params->loaded[i]) ||
		    ranges_overlap(&params->loaded[i], &params->region))
			return false;
	}
	return true;
}

static uint64_t ram_end(const struct socle_params *params)
{
	const struct socle_range *last = &params->ram[params->ram_count - 1];

	return (last->gpa + last->size) / ABI_PAGE_SIZE;
}

size_t guest_pages_memory(const struct socle_params *params)
{
	if (!params_ok(params))
		return 0;

	return (size_t)((ram_end(params) + STATES_PER_BYTE - 1) / STATES_PER_BYTE);
}

static void range_set(const struct socle_range *range, enum guest_page_state to)
{
	uint64_t at = range->gpa / ABI_PAGE_SIZE, end = at + range->size / ABI_PAGE_SIZE;
	uint64_t whole;

	for (; at < end && at % STATES_PER_BYTE; at++)
		state_set(at, to);
	whole = (end - at) / STATES_PER_BYTE;
	memset(pages.states + at / STATES_PER_BYTE, (int)(to * STATE_OF_EACH), whole);
	for (at += whole * STATES_PER_BYTE; at < end; at++)
		state_set(at, to);
}

bool guest_pages_init(const struct socle_params *params, void *memory, size_t size)
{
	size_t need = guest_pages_memory(params);

	if (need == 0 || size < need)
		return false;
	memset(memory, 0, need);
	lock_acquire(&pages.lock);
	pages.states = memory;
	pages.count = ram_end(params);
	for (uint32_t i = 0; i < params->ram_count; i++)
		range_set(&params->ram[i], GUEST_PAGE_INVALID);
	for (uint32_t i = 0; i < params->loaded_count; i++)
		range_set(&params->loaded[i], GUEST_PAGE_VALID);
	range_set(&params->region, GUEST_PAGE_TAKEN);
	lock_release(&pages.lock);
	return true;
}

enum guest_page_state guest_pages_state(gpa_t at)
{
	enum guest_page_state state;

	lock_acquire(&pages.lock);
	state = state_get(at.raw / ABI_PAGE_SIZE);
	lock_release(&pages.lock);
	return state;
}

/* Whether a is what to report of the two: a page that no call can change comes first. */
static bool worse(enum guest_page_state a, enum guest_page_state b)
{
	return (a == GUEST_PAGE_TAKEN || a == GUEST_PAGE_CALLING) &&
	       (b == GUEST_PAGE_INVALID || b == GUEST_PAGE_VALID);
}

static bool all_in(uint64_t first, uint64_t count, enum guest_page_state from,
		   enum guest_page_state *found)
{
	bool all = true;

	*found = from;
	for (uint64_t i = 0; i < count; i++) {
		enum guest_page_state state = state_get(first + i);

		if (state == from)
			continue;
		if (all || worse(state, *found))
			*found = state;
		all = false;
	}
	return all;
}

bool guest_pages_take(gpa_t page, uint64_t count, enum guest_page_state from,
		      enum guest_page_state *found)
{
	uint64_t first = page.raw / ABI_PAGE_SIZE;
	bool ok;

	lock_acquire(&pages.lock);
	ok = from != GUEST_PAGE_TAKEN && all_in(first, count, from, found);
	for (uint64_t i = 0; ok && i < count; i++)
		state_set(first + i, GUEST_PAGE_TAKEN);
	lock_release(&pages.lock);
	return ok;
}

void guest_pages_set(gpa_t page, uint64_t count, enum guest_page_state to)
{
	uint64_t first = page.raw / ABI_PAGE_SIZE;

	lock_acquire(&pages.lock);
	for (uint64_t i = 0; i < count && first + i < pages.count; i++)
		state_set(first + i, to);
	lock_release(&pages.lock);
}

/*
 * The specification grants to the caller's VMPL and to the ones above it. Between Socle and its
 * guest's first level no vCPU can ever be: CREATE_VCPU makes none there. And no less privileged
 * level has a page validated that it could not write before.
 */
uint32_t guest_pages_grant(gpa_t page, enum arch_page_size size)
{
	return arch_rmpadjust(page, size, guest_vmpl(), SNP_RMPADJUST_PERMS_ALL);
}

uint64_t guest_pages_rights(gpa_t page, enum arch_page_size size, unsigned int vmpl)
{
	enum arch_page_size found;
	uint64_t rights;

	if (!level_is_lower(vmpl))
		return SNP_RMPADJUST_PERMS_ALL;
	if (arch_rmpquery(page, vmpl, &found, &rights) != SNP_RESULT_OK)
		return 0;
	if ((rights & SNP_RMPADJUST_VMSA) || (size == ARCH_PAGE_2M && found != ARCH_PAGE_2M))
		return 0;
	return rights;
}

static bool has_rights(unsigned int vmpl, gpa_t page, enum arch_page_size size, uint64_t use)
{
	return (guest_pages_rights(page, size, vmpl) & use) == use;
}

/* What is not validated, or Socle's, or nothing, is not asked for: no level has a right there. */
static bool may_take(unsigned int vmpl, gpa_t page, enum arch_page_size size, uint64_t use)
{
	return !level_is_lower(vmpl) ||
	       (guest_pages_state(page) == GUEST_PAGE_VALID && has_rights(vmpl, page, size, use));
}

bool guest_pages_take_for(unsigned int vmpl, gpa_t page, enum arch_page_size size, uint64_t use,
			  enum guest_page_state *found)
{
	uint64_t count = page_count(size);

	*found = GUEST_PAGE_TAKEN;
	if (!may_take(vmpl, page, size, use))
		return false;
	if (!guest_pages_take(page, count, GUEST_PAGE_VALID, found))
		return false;
	if (has_rights(vmpl, page, size, use))
		return true;
	guest_pages_set(page, count, GUEST_PAGE_VALID);
	*found = GUEST_PAGE_TAKEN; /* by somebody else, as far as the caller is told */
	return false;
}

/*
 * Of an entry of another size the answer counts for nothing: a smaller one is of a part of the
 * pages, and RMPADJUST, which then refuses all of them, has to be asked to say so.
 */
static bool surely_none(gpa_t page, enum arch_page_size size, unsigned int vmpl)
{
	enum arch_page_size found;
	uint64_t rights;

	return arch_rmpquery(page, vmpl, &found, &rights) == SNP_RESULT_OK && found == size &&
	       !rights;
}

/*
 * Most pages are the first level's alone. That one loses its rights first: RMPADJUST checks the
 * RMP's entry for whoever executes it, and lets none give a right that its own level does not have
 * there (APM volume 3, RMPADJUST). So what the RMP then says of the levels beneath it, whose rights
 * are nowhere else, holds. Above the first level no vCPU can ever be: see guest_pages_grant().
 */
uint32_t guest_pages_revoke(gpa_t page, enum arch_page_size size, struct guest_page_rights *kept)
{
	uint32_t eax = arch_rmpadjust(page, size, guest_vmpl(), 0);

	*kept = (struct guest_page_rights){ 0 };
	for (unsigned int vmpl = guest_vmpl() + 1; vmpl < SNP_VMPL_COUNT; vmpl++) {
		if (eax != SNP_RESULT_OK)
			return eax;
		if (surely_none(page, size, vmpl))
			continue;
		kept->of[vmpl] = guest_pages_rights(page, size, vmpl);
		eax = arch_rmpadjust(page, size, vmpl, 0);
	}
	return eax;
}

/*
 * What a level had none of, or what could not be asked, is left as it is: revoked, or never
 * changed.
 */
static uint32_t give_back_as(gpa_t page, enum arch_page_size size,
			     const struct guest_page_rights *kept)
{
	uint32_t eax = guest_pages_grant(page, size);

	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT && eax == SNP_RESULT_OK; vmpl++) {
		if (kept->of[vmpl])
			eax = arch_rmpadjust(page, size, vmpl, kept->of[vmpl]);
	}
	return eax;
}

uint32_t guest_pages_give_back(gpa_t page, enum arch_page_size size,
			       const struct guest_page_rights *kept)
{
	uint32_t eax = give_back_as(page, size, kept);

	if (eax != SNP_RESULT_FAIL_SIZEMISMATCH)
		return eax;
	eax = SNP_RESULT_OK;
	for (uint64_t i = 0; i < page_count(size); i++) {
		gpa_t part = gpa(page.raw + i * ABI_PAGE_SIZE);
		uint32_t of_part = give_back_as(part, ARCH_PAGE_4K, kept);

		eax = eax == SNP_RESULT_OK ? of_part : eax;
	}
	return eax;
}

/* Zeroes before granting: the host may have put a page here that once was Socle's. */
static uint32_t zero_and_grant(gpa_t page, enum arch_page_size size)
{
	if (!arch_guest_zero(page, page_count(size) * ABI_PAGE_SIZE))
		return ARCH_RESULT_FAULT;

	return guest_pages_grant(page, size);
}

static uint32_t prepare(gpa_t page, enum arch_page_size size, struct guest_page_rights *kept)
{
	uint32_t eax = guest_pages_revoke(page, size, kept);

	return eax == SNP_RESULT_OK ? zero_and_grant(page, size) : eax;
}

uint32_t guest_pages_prepare(gpa_t page, enum arch_page_size size, unsigned int vmpl)
{
	struct guest_page_rights kept;
	uint32_t eax = prepare(page, size, &kept);

	if (eax == SNP_RESULT_OK && level_is_lower(vmpl))
		eax = arch_rmpadjust(page, size, vmpl, kept.of[vmpl]);
	if (eax != SNP_RESULT_OK)
		(void)guest_pages_give_back(page, size, &kept);
	guest_pages_set(page, page_count(size), GUEST_PAGE_VALID);
	return eax;
}

/* Only the page that was validated can lose its validation: another one would not change. */
static uint32_t unvalidate(gpa_t page, enum arch_page_size size)
{
	bool changed;
	uint32_t eax = arch_pvalidate(page, size, false, &changed);

	if (eax == SNP_RESULT_OK && changed)
		guest_pages_set(page, page_count(size), GUEST_PAGE_INVALID);
	return eax;
}

/* As guest_pages_give_back(), for pages that were validated. */
static void undo_validation(gpa_t page, enum arch_page_size size)
{
	if (unvalidate(page, size) != SNP_RESULT_FAIL_SIZEMISMATCH)
		return;
	for (uint64_t i = 0; i < page_count(size); i++)
		(void)unvalidate(gpa(page.raw + i * ABI_PAGE_SIZE), ARCH_PAGE_4K);
}

uint32_t guest_pages_validate(gpa_t page, enum arch_page_size size, bool ignore_unchanged,
			      bool *changed)
{
	uint32_t eax = arch_pvalidate(page, size, true, changed);
	struct guest_page_rights kept;

	if (eax != SNP_RESULT_OK || (!*changed && !ignore_unchanged)) {
		guest_pages_set(page, page_count(size), GUEST_PAGE_INVALID);
		return eax;
	}
	eax = *changed ? zero_and_grant(page, size) : prepare(page, size, &kept);
	if (eax == SNP_RESULT_OK)
		guest_pages_set(page, page_count(size), GUEST_PAGE_VALID);
	else
		undo_validation(page, size);
	return eax;
}

uint32_t guest_pages_invalidate(gpa_t page, enum arch_page_size size, bool *changed)
{
	struct guest_page_rights kept;
	uint32_t eax = guest_pages_revoke(page, size, &kept);

	*changed = false;
	if (eax == SNP_RESULT_OK)
		eax = arch_pvalidate(page, size, false, changed);
	if (eax != SNP_RESULT_OK) {
		(void)guest_pages_give_back(page, size, &kept);
		guest_pages_set(page, page_count(size), GUEST_PAGE_VALID);
	} else if (*changed) {
		guest_pages_set(page, page_count(size), GUEST_PAGE_INVALID);
	}
	return eax;
}

static bool copyable(gpa_t at, size_t size, unsigned int vmpl, uint64_t right)
{
	enum guest_page_state state = state_get(at.raw / ABI_PAGE_SIZE);

	return (state == GUEST_PAGE_VALID || state == GUEST_PAGE_CALLING) &&
	       size <= ABI_PAGE_SIZE - at.raw % ABI_PAGE_SIZE &&
	       (guest_pages_rights(gpa_page(at), ARCH_PAGE_4K, vmpl) & right);
}

bool guest_pages_copy_in(unsigned int vmpl, void *to, gpa_t at, size_t size)
{
	bool ok;

	lock_acquire(&pages.lock);
	ok = copyable(at, size, vmpl, SNP_RMPADJUST_READ) && arch_guest_read(to, at, size);
	lock_release(&pages.lock);
	return ok;
}

bool guest_pages_copy_out(unsigned int vmpl, gpa_t at, const void *from, size_t size)
{
	bool ok;

	lock_acquire(&pages.lock);
	ok = copyable(at, size, vmpl, SNP_RMPADJUST_WRITE) && arch_guest_write(at, from, size);
	lock_release(&pages.lock);
	return ok;
}
