/* SPDX-License-Identifier: MIT */
#include "core/snp/rmp.h"

_Static_assert(SNP_RMPADJUST_PERMS_ALL == RMP_PERM_ALL << RMP_PERM_SHIFT, "permission bits");

static uint64_t pages_of(unsigned int size)
{
	return size == SNP_PAGE_2M ? RMP_PAGES_2M : 1;
}

/* The first entry of a page of that size, NULL when it is no such page of this table. */
static struct rmp_entry *lookup(const struct rmp *rmp, uint64_t page, unsigned int size)
{
	uint64_t pages = pages_of(size);

	if (size > SNP_PAGE_2M || page % pages != 0)
		return NULL;
	if (page >= rmp->count || rmp->count - page < pages)
		return NULL;
	return &rmp->entries[page];
}

static void reset_entry(struct rmp_entry *entry, uint8_t flags)
{
	*entry = (struct rmp_entry){ .flags = flags };
	if (flags & RMP_ASSIGNED)
		entry->perms[0] = RMP_PERM_ALL;
}

/* What RMPUPDATE checks before it changes anything. */
static uint32_t check_update(const struct rmp_entry *entries, unsigned int size)
{
	uint8_t tag = size == SNP_PAGE_2M ? RMP_SIZE_2M : 0;

	for (uint64_t i = 0; i < pages_of(size); i++) {
		uint8_t flags = entries[i].flags;

		if (flags & (RMP_IMMUTABLE | RMP_VMSA_IN_USE))
			return SNP_RESULT_FAIL_PERMISSION;
		if ((flags & RMP_ASSIGNED) && (flags & RMP_SIZE_2M) != tag)
			return SNP_RESULT_FAIL_OVERLAP;
	}
	return SNP_RESULT_OK;
}

static uint32_t update(struct rmp *rmp, uint64_t page, unsigned int size, uint8_t flags)
{
	struct rmp_entry *entries = lookup(rmp, page, size);
	uint32_t result;

	if (!entries)
		return SNP_RESULT_FAIL_INPUT;
	result = check_update(entries, size);
	if (result != SNP_RESULT_OK)
		return result;
	for (uint64_t i = 0; i < pages_of(size); i++)
		reset_entry(&entries[i], flags);
	return SNP_RESULT_OK;
}

uint32_t rmp_assign(struct rmp *rmp, uint64_t page, unsigned int size)
{
	return update(rmp, page, size, RMP_ASSIGNED | (size == SNP_PAGE_2M ? RMP_SIZE_2M : 0));
}

uint32_t rmp_unassign(struct rmp *rmp, uint64_t page, unsigned int size)
{
	return update(rmp, page, size, 0);
}

uint32_t rmp_smash(struct rmp *rmp, uint64_t page)
{
	struct rmp_entry *entries = lookup(rmp, page & ~(uint64_t)(RMP_PAGES_2M - 1), SNP_PAGE_2M);

	if (!entries || !(entries->flags & RMP_SIZE_2M))
		return SNP_RESULT_FAIL_INPUT;
	for (uint64_t i = 0; i < RMP_PAGES_2M; i++)
		entries[i].flags &= (uint8_t)~RMP_SIZE_2M;
	return SNP_RESULT_OK;
}

uint32_t rmp_launch_page(struct rmp *rmp, uint64_t page, bool vmsa)
{
	uint32_t result = rmp_assign(rmp, page, SNP_PAGE_4K);

	if (result == SNP_RESULT_OK)
		rmp->entries[page].flags |= RMP_VALIDATED | (vmsa ? RMP_VMSA : 0);
	return result;
}

uint32_t rmp_launch_large(struct rmp *rmp, uint64_t page)
{
	uint32_t result = rmp_assign(rmp, page, SNP_PAGE_2M);

	for (uint64_t i = 0; result == SNP_RESULT_OK && i < RMP_PAGES_2M; i++)
		rmp->entries[page + i].flags |= RMP_VALIDATED;
	return result;
}

static struct rmp_outcome done(uint32_t eax)
{
	return (struct rmp_outcome){ .status = RMP_DONE, .eax = eax };
}

static struct rmp_outcome fault(enum rmp_status status)
{
	return (struct rmp_outcome){ .status = status };
}

/*
 * Checks the operand of PVALIDATE and RMPADJUST against the entry. True when the instruction ends
 * here, with *out. A 2 MiB operation on a 4 KiB entry fails in the guest; the reverse faults, and
 * the host has to split the entry.
 */
static bool operand_refused(const struct rmp *rmp, uint64_t page, unsigned int size,
			    struct rmp_outcome *out)
{
	const struct rmp_entry *entry;

	if (size > SNP_PAGE_2M || page % pages_of(size) != 0) {
		*out = done(SNP_RESULT_FAIL_INPUT);
		return true;
	}
	entry = lookup(rmp, page, size);
	if (!entry)
		*out = fault(RMP_NOT_RAM);
	else if (!(entry->flags & RMP_ASSIGNED))
		*out = fault(RMP_NOT_ASSIGNED);
	else if (size == SNP_PAGE_2M && !(entry->flags & RMP_SIZE_2M))
		*out = done(SNP_RESULT_FAIL_SIZEMISMATCH);
	else if (size == SNP_PAGE_4K && (entry->flags & RMP_SIZE_2M))
		*out = fault(RMP_NEEDS_SMASH);
	else
		return false;
	return true;
}

struct rmp_outcome rmp_pvalidate(struct rmp *rmp, uint64_t page, unsigned int size, bool validate)
{
	struct rmp_outcome out;
	struct rmp_entry *entries;

	if (operand_refused(rmp, page, size, &out))
		return out;
	entries = &rmp->entries[page];
	if (entries->flags & RMP_VMSA_IN_USE)
		return done(SNP_RESULT_FAIL_INUSE);
	out = done(SNP_RESULT_OK);
	out.unchanged = !!(entries->flags & RMP_VALIDATED) == validate;
	for (uint64_t i = 0; i < pages_of(size); i++) {
		entries[i].flags &= (uint8_t)~RMP_VALIDATED;
		entries[i].flags |= validate ? RMP_VALIDATED : 0;
	}
	return out;
}

/* The checks of RMPADJUST that need the entry, which is assigned and of the right size. */
static struct rmp_outcome check_adjust(const struct rmp_entry *entry, unsigned int vmpl,
				       unsigned int size, uint64_t rdx)
{
	unsigned int perms = (rdx >> RMP_PERM_SHIFT) & RMP_PERM_ALL;
	bool vmsa = vmpl == 0 && (rdx & SNP_RMPADJUST_VMSA);

	if (!(entry->flags & RMP_VALIDATED))
		return fault(RMP_NOT_VALIDATED);
	if (vmsa && size == SNP_PAGE_2M)
		return done(SNP_RESULT_FAIL_INPUT);
	if (entry->flags & RMP_VMSA_IN_USE)
		return done(SNP_RESULT_FAIL_INUSE);
	if (perms & ~entry->perms[vmpl])
		return done(SNP_RESULT_FAIL_PERMISSION);
	return done(SNP_RESULT_OK);
}

struct rmp_outcome rmp_adjust(struct rmp *rmp, unsigned int vmpl, uint64_t page, unsigned int size,
			      uint64_t rdx)
{
	unsigned int target = (unsigned int)(rdx & SNP_RMPADJUST_VMPL_MASK);
	struct rmp_outcome out;
	struct rmp_entry *entries;

	if (target >= SNP_VMPL_COUNT)
		return done(SNP_RESULT_FAIL_INPUT);
	if (target <= vmpl)
		return done(SNP_RESULT_FAIL_PERMISSION);
	if (operand_refused(rmp, page, size, &out))
		return out;
	entries = &rmp->entries[page];
	out = check_adjust(entries, vmpl, size, rdx);
	if (out.status != RMP_DONE || out.eax != SNP_RESULT_OK)
		return out;
	for (uint64_t i = 0; i < pages_of(size); i++) {
		entries[i].perms[target] = (rdx >> RMP_PERM_SHIFT) & RMP_PERM_ALL;
		if (vmpl != 0)
			continue;
		entries[i].flags &= (uint8_t)~RMP_VMSA;
		entries[i].flags |= rdx & SNP_RMPADJUST_VMSA ? RMP_VMSA : 0;
	}
	return out;
}

struct rmp_outcome rmp_query(const struct rmp *rmp, unsigned int vmpl, uint64_t page, uint64_t rdx,
			     struct rmp_answer *answer)
{
	const struct rmp_entry *entry = lookup(rmp, page, SNP_PAGE_4K);
	unsigned int target = (unsigned int)(rdx & SNP_RMPADJUST_VMPL_MASK);

	if (target >= SNP_VMPL_COUNT)
		return done(SNP_RESULT_FAIL_INPUT);
	if (target < vmpl)
		return done(SNP_RESULT_FAIL_PERMISSION);
	if (!entry)
		return fault(RMP_NOT_RAM);
	if (!(entry->flags & RMP_ASSIGNED))
		return fault(RMP_NOT_ASSIGNED);
	if (!(entry->flags & RMP_VALIDATED))
		return fault(RMP_NOT_VALIDATED);
	answer->size = entry->flags & RMP_SIZE_2M ? SNP_PAGE_2M : SNP_PAGE_4K;
	answer->rdx = target | (uint64_t)entry->perms[target] << RMP_PERM_SHIFT;
	if (entry->flags & RMP_VMSA)
		answer->rdx |= SNP_RMPADJUST_VMSA;
	return done(SNP_RESULT_OK);
}

enum rmp_status rmp_access(const struct rmp *rmp, uint64_t page, unsigned int vmpl,
			   unsigned int perms)
{
	const struct rmp_entry *entry = lookup(rmp, page, SNP_PAGE_4K);

	if (!entry)
		return RMP_NOT_RAM;
	if (!(entry->flags & RMP_ASSIGNED))
		return RMP_NOT_ASSIGNED;
	if (!(entry->flags & RMP_VALIDATED))
		return RMP_NOT_VALIDATED;
	if (vmpl != 0 && (entry->flags & RMP_VMSA) && (perms & ~RMP_PERM_READ))
		return RMP_IS_VMSA;
	if (perms & ~entry->perms[vmpl])
		return RMP_NO_PERMISSION;
	return RMP_DONE;
}

bool rmp_is_vmsa(const struct rmp *rmp, uint64_t page)
{
	const struct rmp_entry *entry = lookup(rmp, page, SNP_PAGE_4K);
	uint8_t want = RMP_ASSIGNED | RMP_VALIDATED | RMP_VMSA;

	return entry && (entry->flags & (want | RMP_SIZE_2M)) == want;
}
