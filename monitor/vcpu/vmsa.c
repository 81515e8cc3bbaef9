/* SPDX-License-Identifier: MIT */
#include "monitor/vcpu/vmsa.h"

#include "monitor/arch/arch.h"

/*
 * Some processors mistake a VMSA that starts a 2 MiB page for a large page's entry, so it is never
 * such a page; of two pages in a row one is good.
 */
bool vmsa_alloc(struct page_owner *owner, gpa_t *page)
{
	gpa_t other;

	if (!page_alloc(owner, page))
		return false;
	if (!gpa_aligned(*page, ABI_PAGE_SIZE_2M))
		return true;

	bool found = page_alloc(owner, &other);

	page_free(owner, *page);
	*page = other;
	return found;
}

bool vmsa_commit(gpa_t page)
{
	/* RMPADJUST must name a less privileged VMPL, which gets no right by this. */
	return arch_rmpadjust(page, ARCH_PAGE_4K, level_without_rights(), SNP_RMPADJUST_VMSA) ==
	       SNP_RESULT_OK;
}
