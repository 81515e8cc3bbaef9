/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/handlers.h"

#include "machine/hv/memory/guest.h"
#include "machine/hv/memory/page_state.h"

#define PSC_ERROR_HEADER (1ull << 32 | 1)
#define PSC_ERROR_ENTRY (1ull << 32 | 2)
#define PSC_ERROR_GENERIC (0x100ull << 32)

#define PSC_OPERATION_SMASH 3u
#define PSC_OPERATION_UNSMASH 4u

struct psc_entry {
	unsigned int done; /* 4 KiB pages of it that were changed before */
	uint64_t gpa;
	unsigned int operation;
	bool huge;
};

struct psc_list {
	struct ghcb_psc_header header;
	uint64_t entries[GHCB_PSC_ENTRIES_MAX];
};
ABI_SIZE(struct psc_list, GHCB_SHARED_BUFFER_SIZE);

static struct psc_entry decode(uint64_t raw)
{
	return (struct psc_entry){
		.done = raw & 0xfff,
		.gpa = (raw >> 12 & 0xffffffffffull) << ABI_PAGE_SHIFT,
		.operation = raw >> 52 & 0xf,
		.huge = raw >> 56 & 1,
	};
}

/* One 4 KiB page. False: refused. */
static bool psc_page(uint64_t gpa, unsigned int operation)
{
	if (operation != GHCB_PSC_PRIVATE && operation != GHCB_PSC_SHARED)
		return false;
	return page_state_change(gpa, false, operation == GHCB_PSC_PRIVATE);
}

/* Page by page from where an earlier try stopped. Returns the pages that are done now. */
static unsigned int change_small(const struct psc_entry *e, unsigned int pages)
{
	unsigned int done = e->done;

	while (done < pages && psc_page(e->gpa + (uint64_t)done * ABI_PAGE_SIZE, e->operation))
		done++;
	return done;
}

/* Returns 0 or the error; *done is the entry's new cursor. */
static uint64_t change(const struct psc_entry *e, unsigned int *done)
{
	unsigned int pages = e->huge ? ABI_PAGE_SIZE_2M / ABI_PAGE_SIZE : 1;

	*done = e->done;
	if (e->operation == PSC_OPERATION_SMASH || e->operation == PSC_OPERATION_UNSMASH)
		return 0; /* hints about how the host should map */
	if (e->operation != GHCB_PSC_PRIVATE && e->operation != GHCB_PSC_SHARED)
		return PSC_ERROR_ENTRY;
	if (e->done > pages || (e->huge && e->gpa % ABI_PAGE_SIZE_2M != 0))
		return PSC_ERROR_ENTRY;
	if (e->huge && e->done == 0 &&
	    page_state_change(e->gpa, true, e->operation == GHCB_PSC_PRIVATE)) {
		*done = pages;
		return 0;
	}
	*done = change_small(e, pages);
	return *done == pages ? 0 : PSC_ERROR_GENERIC;
}

void nae_page_state(struct ghcb_call *c)
{
	struct psc_list *list = ghcb_scratch(c, sizeof(*list));
	uint16_t current, end;

	if (list == NULL)
		return;
	/* Each once: the page is shared, and what was checked is what is used. */
	current = __atomic_load_n(&list->header.cur_entry, __ATOMIC_RELAXED);
	end = __atomic_load_n(&list->header.end_entry, __ATOMIC_RELAXED);
	if (current > end || end >= GHCB_PSC_ENTRIES_MAX) {
		c->result_2 = PSC_ERROR_HEADER;
		return;
	}
	for (; current <= end; current++) {
		uint64_t raw = __atomic_load_n(&list->entries[current], __ATOMIC_RELAXED);
		struct psc_entry e = decode(raw);
		unsigned int done;
		uint64_t error = change(&e, &done);

		/* An entry may give away the page that holds the list. */
		list = ghcb_scratch(c, sizeof(*list));
		if (list == NULL)
			return;
		list->entries[current] = (raw & ~0xfffull) | done;
		if (error != 0) {
			c->result_2 = error;
			break;
		}
		list->header.cur_entry = (uint16_t)(current + 1);
	}
}

uint64_t ghcb_msr_page_state(struct vcpu *v, uint64_t request)
{
	uint64_t gpa = request & 0xffffffffffull << ABI_PAGE_SHIFT & ~HV_C_BIT;

	(void)v;
	return GHCB_MSR_PSC_RESP | (psc_page(gpa, request >> 52 & 0xf) ? 0 : GHCB_MSR_FAILED);
}
