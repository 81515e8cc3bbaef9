/* SPDX-License-Identifier: MIT */
/*
 * No page may be loaded twice. Without a heap: pages are looked at in windows of guest memory,
 * lowest first, each of which fits a bitmap on the stack, and each of which costs a walk over all
 * headers. Their product is bounded, for a hostile file chooses both.
 */
#include "core/image/igvm_check.h"

#define WINDOW_PAGES 32768u
#define WINDOW_SIZE ((uint64_t)WINDOW_PAGES * ABI_PAGE_SIZE)
#define WINDOWS_MAX 1024u
#define WALKED_MAX (1ull << 29) /* bytes of headers, about two seconds; 2 GiB of pages have half */

/* The pages that a directive puts something into; false when there are none. */
static bool loaded_range(const struct igvm_directive *d, uint64_t *start, uint64_t *end)
{
	*start = igvm_directive_gpa(d);
	*end = *start + d->size;
	switch (d->type) {
	case IGVM_TYPE_PAGE_DATA:
	case IGVM_TYPE_PARAMETER_INSERT:
	case IGVM_TYPE_ERROR_RANGE:
		return true;
	case IGVM_TYPE_VP_CONTEXT: /* each vCPU's may be held by the host */
		return *start != IGVM_HELD_VMSA_GPA;
	default:
		return false;
	}
}

/* Marks the pages of [start, end) that lie in the window; false at one that is marked already. */
static bool mark_pages(uint64_t *seen, uint64_t window, uint64_t start, uint64_t end, uint64_t *gpa)
{
	for (*gpa = start < window ? window : start; *gpa < end && *gpa - window < WINDOW_SIZE;
	     *gpa += ABI_PAGE_SIZE) {
		uint64_t page = (*gpa - window) / ABI_PAGE_SIZE;

		if (seen[page / 64] & 1ull << page % 64)
			return false;
		seen[page / 64] |= 1ull << page % 64;
	}
	return true;
}

/*
 * Looks at one window, and finds the next above it that holds a page: IGVM_ADDRESS_LIMIT when
 * there is none.
 */
static bool check_window(const struct igvm_file *file, uint64_t window, uint64_t *next,
			 struct igvm_error *error)
{
	const uint64_t window_end = window + WINDOW_SIZE;
	uint64_t seen[WINDOW_PAGES / 64] = { 0 };
	uint64_t lowest = IGVM_ADDRESS_LIMIT, start, end, gpa;
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;

	while (igvm_next(file, &cursor, &d)) {
		if (!loaded_range(&d, &start, &end))
			continue;
		if (!mark_pages(seen, window, start, end, &gpa))
			return igvm_refuse(error, IGVM_ERR_CONTRADICTION, d.header_offset,
					   "page 0x%llx is loaded twice", (unsigned long long)gpa);
		if (start < window_end)
			start = window_end;
		if (start < end && start < lowest)
			lowest = start;
	}
	*next = lowest & ~(WINDOW_SIZE - 1);
	return true;
}

/* The first window is looked at whether it holds a page or not. */
bool igvm_check_pages(const struct igvm_file *file, struct igvm_error *error)
{
	const uint64_t headers = file->header.variable_header_offset;
	uint64_t window = 0, walked = 0;

	for (unsigned int i = 0; window != IGVM_ADDRESS_LIMIT; i++) {
		if (i == WINDOWS_MAX)
			return igvm_refuse(
				error, IGVM_ERR_UNSUPPORTED, headers,
				"pages are scattered over more than %u ranges of 128 MiB",
				WINDOWS_MAX);
		walked += file->header.variable_header_size;
		if (walked > WALKED_MAX)
			return igvm_refuse(
				error, IGVM_ERR_UNSUPPORTED, headers,
				"%u bytes of headers for pages in more than %u ranges of 128 MiB",
				file->header.variable_header_size, i);
		if (!check_window(file, window, &window, error))
			return false;
	}
	return true;
}
