/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/base/direct.h"
#include "monitor/ghcb/ghcb.h"
#include "monitor/mem/map.h"

/* A value that no page holds unless it was written there. */
#define MARK 0x5ec2e7be11deafedull

/*
 * A mark that was written while the page was private must not be readable once it is shared, or the
 * C-bit does nothing. That finds mistakes of platforms; a hostile host is found out by PVALIDATE
 * (boot/processor.h).
 */
static bool share(gpa_t page)
{
	volatile uint64_t *mark = direct_ptr(page);
	bool changed;

	*mark = MARK;
	/*
	 * First the RMP, then the host, then the name: the page is never valid for us while the
	 * host could put another one there.
	 */
	if (arch_pvalidate(page, ARCH_PAGE_4K, false, &changed) != SNP_RESULT_OK || !changed)
		return false;
	if (!ghcb_page_state(page, false) || !map_direct_shared(page, true))
		return false;
	if (*mark == MARK)
		return false;
	memset(direct_ptr(page), 0, ABI_PAGE_SIZE);
	return true;
}

bool ghcb_share(struct page_owner *owner, size_t count, gpa_t *first)
{
	if (!page_alloc_span(owner, count, 1, first))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!share(gpa(first->raw + i * ABI_PAGE_SIZE)))
			return false;
	}
	return true;
}

/* One that is half-way is nobody's page. */
static bool share_one(struct page_owner *owner, gpa_t *page)
{
	gpa_t shared;

	if (!ghcb_share(owner, 1, &shared))
		return false;
	*page = shared;
	return true;
}

bool arch_host_pages(struct cpu *cpu, struct page_owner *owner)
{
	return share_one(owner, &cpu->ghcb_page) && share_one(owner, &cpu->doorbell_page);
}

bool arch_host_name_ghcb(struct cpu *cpu)
{
	if (!cpu->ghcb_page.raw || !ghcb_register(cpu->ghcb_page))
		return false;
	cpu->ghcb = direct_ptr(cpu->ghcb_page);
	return true;
}

bool arch_host_name_doorbell(struct cpu *cpu)
{
	if (!cpu->ghcb || !cpu->doorbell_page.raw)
		return false;
	cpu->doorbell = direct_ptr(cpu->doorbell_page);
	cpu->doorbell_set = ghcb_set_doorbell(cpu->doorbell_page);
	return cpu->doorbell_set;
}
