/* SPDX-License-Identifier: MIT */
/*
 * SVSM_CORE_PVALIDATE (58019, table 6). The list stays in the guest's memory while it is worked
 * on, for an entry that fails leaves the ones before it done: each entry is copied once, just
 * before its turn.
 */
#include "monitor/arch/arch.h"
#include "monitor/mem/guest_copy.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/protocol/protocol.h"
#include "monitor/protocol/result.h"

struct list {
	unsigned int vmpl; /* of the caller */
	gpa_t at;
	uint32_t entries;
	uint32_t next;
};

struct entry {
	unsigned int vmpl; /* of the caller */
	gpa_t page;
	enum arch_page_size size;
	uint64_t pages; /* of 4 KiB */
	bool validate;
	bool ignore_unchanged;
};

/*
 * The header's reserved bytes are not looked at: Linux leaves there what the last call put into
 * its calling area.
 */
static uint32_t decode_list(const struct svsm_call *call, struct list *list)
{
	uint64_t rcx = call->rcx;
	struct svsm_pvalidate_list header;
	uint64_t room;

	if (!gpa_aligned(gpa(rcx), 8))
		return SVSM_ERR_INVALID_PARAMETER;
	room = ABI_PAGE_SIZE - rcx % ABI_PAGE_SIZE;
	if (!guest_copy_in(call->caller.vmpl, &header, gpa(rcx), sizeof(header)))
		return SVSM_ERR_INVALID_ADDRESS;
	if (header.entries == 0 || header.next >= header.entries)
		return SVSM_ERR_INVALID_PARAMETER;
	if (header.entries > (room - sizeof(header)) / sizeof(uint64_t))
		return SVSM_ERR_INVALID_PARAMETER;
	*list = (struct list){
		.vmpl = call->caller.vmpl,
		.at = gpa(rcx),
		.entries = header.entries,
		.next = header.next,
	};
	return SVSM_SUCCESS;
}

static uint32_t decode_entry(unsigned int vmpl, uint64_t raw, struct entry *entry)
{
	uint64_t size = raw & SVSM_PVALIDATE_SIZE_MASK;

	if (size > SNP_PAGE_2M || (raw & SVSM_PVALIDATE_RESERVED))
		return SVSM_ERR_INVALID_PARAMETER;
	*entry = (struct entry){
		.vmpl = vmpl,
		.page = gpa_page(gpa(raw)),
		.size = size == SNP_PAGE_2M ? ARCH_PAGE_2M : ARCH_PAGE_4K,
		.pages = size == SNP_PAGE_2M ? ABI_PAGE_SIZE_2M / ABI_PAGE_SIZE : 1,
		.validate = raw & SVSM_PVALIDATE_VALIDATE,
		.ignore_unchanged = raw & SVSM_PVALIDATE_IGNORE_CF,
	};
	if (!gpa_aligned(entry->page, entry->pages * ABI_PAGE_SIZE))
		return SVSM_ERR_INVALID_PARAMETER;
	return SVSM_SUCCESS;
}

static uint32_t validate(const struct entry *e)
{
	bool changed = false;
	uint32_t eax = guest_pages_validate(e->page, e->size, e->ignore_unchanged, &changed);

	if (eax != SNP_RESULT_OK)
		return svsm_result_of_page(eax);
	return changed || e->ignore_unchanged ? SVSM_SUCCESS : SVSM_ERR_PVALIDATE_UNCHANGED;
}

/*
 * A page that was valid and is not, although PVALIDATE saw no change, is one that the host has put
 * in its place. The guest is told, whatever it wants to ignore.
 */
static uint32_t invalidate(const struct entry *e)
{
	bool changed = false;
	uint32_t eax = guest_pages_invalidate(e->page, e->size, &changed);

	if (eax != SNP_RESULT_OK)
		return svsm_result_of_page(eax);
	return changed ? SVSM_SUCCESS : SVSM_ERR_PVALIDATE_UNCHANGED;
}

/*
 * The pages are in the state that the entry asks for. PVALIDATE is not executed: a host that has
 * exchanged a valid page would get its new one accepted.
 */
static uint32_t unchanged(const struct entry *e)
{
	if (e->validate && e->ignore_unchanged)
		return svsm_result_of_page(guest_pages_prepare(e->page, e->size, e->vmpl));
	guest_pages_set(e->page, e->pages, e->validate ? GUEST_PAGE_VALID : GUEST_PAGE_INVALID);
	return e->ignore_unchanged ? SVSM_SUCCESS : SVSM_ERR_PVALIDATE_UNCHANGED;
}

/*
 * The specification asks nobody; but a page that a less privileged level cannot write is the first
 * level's, and one that is not validated has no rights, so it is the first level that has it
 * validated. Neither is taken for the other.
 */
static bool take(const struct entry *e, enum guest_page_state from, enum guest_page_state *found)
{
	if (from == GUEST_PAGE_VALID)
		return guest_pages_take_for(e->vmpl, e->page, e->size, SNP_RMPADJUST_WRITE, found);
	if (!level_is_lower(e->vmpl))
		return guest_pages_take(e->page, e->pages, from, found);
	*found = guest_pages_state(e->page);
	if (*found == GUEST_PAGE_INVALID)
		*found = GUEST_PAGE_TAKEN; /* by somebody else, as far as the caller is told */
	return false;
}

static uint32_t perform(const struct entry *e)
{
	enum guest_page_state from = e->validate ? GUEST_PAGE_INVALID : GUEST_PAGE_VALID;
	enum guest_page_state to = e->validate ? GUEST_PAGE_VALID : GUEST_PAGE_INVALID;
	enum guest_page_state found;

	if (take(e, from, &found))
		return e->validate ? validate(e) : invalidate(e);
	if (found == to && take(e, to, &found))
		return unchanged(e);
	if (found == GUEST_PAGE_TAKEN || found == GUEST_PAGE_CALLING)
		return SVSM_ERR_INVALID_ADDRESS;
	/* Some of the 2 MiB are valid and some are not: so the RMP has them as pages of 4 KiB. */
	return SVSM_ERR_PVALIDATE_SIZEMISMATCH;
}

/*
 * For the guest's own sake (arch.h): before a page comes back, and before the call ends, no vCPU
 * should see what was there. One flush serves a run of invalidations. Nothing of ours rests on it,
 * so a host that withholds it costs no call.
 */
static void flush_if(bool *needed, bool now)
{
	if (*needed && now) {
		(void)arch_flush_guest_tlb();
		*needed = false;
	}
}

static uint32_t next_entry(const struct list *list, struct entry *entry)
{
	uint64_t offset = sizeof(struct svsm_pvalidate_list) + list->next * sizeof(uint64_t);
	uint64_t raw;

	if (!guest_copy_in(list->vmpl, &raw, gpa(list->at.raw + offset), sizeof(raw)))
		return SVSM_ERR_INVALID_ADDRESS;
	return decode_entry(list->vmpl, raw, entry);
}

static uint32_t perform_list(struct list *list)
{
	uint32_t result = SVSM_SUCCESS;
	bool flush = false;

	while (list->next < list->entries) {
		struct entry entry;

		result = next_entry(list, &entry);
		if (result != SVSM_SUCCESS)
			break;
		flush_if(&flush, entry.validate);
		flush = flush || !entry.validate;
		result = perform(&entry);
		if (result != SVSM_SUCCESS)
			break;
		list->next++;
	}
	flush_if(&flush, true);
	return result;
}

uint32_t svsm_core_pvalidate(struct svsm_call *call)
{
	struct list list;
	uint32_t result = decode_list(call, &list);
	uint16_t next;
	gpa_t next_at;

	if (result != SVSM_SUCCESS)
		return result;
	result = perform_list(&list);
	next = (uint16_t)list.next;
	next_at = gpa(list.at.raw + offsetof(struct svsm_pvalidate_list, next));
	if (!guest_copy_out(list.vmpl, next_at, &next, sizeof(next)) && result == SVSM_SUCCESS)
		return SVSM_ERR_INVALID_ADDRESS;
	return result;
}
