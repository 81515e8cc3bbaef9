/* SPDX-License-Identifier: MIT */
#include "monitor/mem/guest_copy.h"

#include <string.h>

#include "abi/types.h"
#include "monitor/mem/guest_pages.h"

/* Bytes of [at, at + size) that lie in the page of at. */
static size_t in_page(gpa_t at, size_t size)
{
	size_t left = ABI_PAGE_SIZE - (size_t)(at.raw % ABI_PAGE_SIZE);

	return size < left ? size : left;
}

static bool page_ok(unsigned int vmpl, gpa_t page, uint64_t rights)
{
	enum guest_page_state state = guest_pages_state(page);

	if (state != GUEST_PAGE_VALID && state != GUEST_PAGE_CALLING)
		return false;
	return (guest_pages_rights(page, ARCH_PAGE_4K, vmpl) & rights) == rights;
}

bool guest_range_ok(unsigned int vmpl, gpa_t at, uint64_t size, uint64_t rights)
{
	gpa_t end;

	if (size == 0 || !gpa_add(at, size - 1, &end))
		return false;
	for (uint64_t page = gpa_page(at).raw;; page += ABI_PAGE_SIZE) {
		if (!page_ok(vmpl, gpa(page), rights))
			return false;
		if (page == gpa_page(end).raw)
			return true;
	}
}

bool guest_copy_in(unsigned int vmpl, void *to, gpa_t from, size_t size)
{
	uint8_t *at = to;

	if (!guest_range_ok(vmpl, from, size, SNP_RMPADJUST_READ)) {
		memset(to, 0, size);
		return false;
	}
	for (size_t done = 0; done < size;) {
		gpa_t next = gpa(from.raw + done);
		size_t part = in_page(next, size - done);

		if (!guest_pages_copy_in(vmpl, at + done, next, part)) {
			memset(to, 0, size);
			return false;
		}
		done += part;
	}
	return true;
}

bool guest_copy_out(unsigned int vmpl, gpa_t to, const void *from, size_t size)
{
	const uint8_t *at = from;

	if (!guest_range_ok(vmpl, to, size, SNP_RMPADJUST_WRITE))
		return false;
	for (size_t done = 0; done < size;) {
		gpa_t next = gpa(to.raw + done);
		size_t part = in_page(next, size - done);

		if (!guest_pages_copy_out(vmpl, next, at + done, part))
			return false;
		done += part;
	}
	return true;
}
