/* SPDX-License-Identifier: MIT */
/*
 * No page may be loaded twice. Without a heap: pages are looked at in windows of guest memory,
 * lowest first, each of which fits a bitmap on the stack. The number of windows is bounded, so
 * that a hostile file cannot make the search quadratic.
 */
#include "core/image/igvm_check.h"

#define WINDOW_PAGES 32768u
#define WINDOW_SIZE ((uint64_t)WINDOW_PAGES * ABI_PAGE_SIZE)
#define WINDOWS_MAX 1024u

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

/* The lowest window at or above from that holds a page; false when there is none. */
static bool find_window(const struct igvm_file *file, uint64_t from, uint64_t *window)
{
	struct igvm_cursor cursor = { 0 };
	uint64_t lowest = IGVM_ADDRESS_LIMIT, start, end;
	struct igvm_directive d;

	while (igvm_next(file, &cursor, &d)) {
		if (!loaded_range(&d, &start, &end) || end <= from)
			continue;
		if (start < from)
			start = from;
		if (start < lowest)
			lowest = start;
	}
	*window = lowest & ~(WINDOW_SIZE - 1);
	return lowest != IGVM_ADDRESS_LIMIT;
}

static bool check_window(const struct igvm_file *file, uint64_t window, struct igvm_error *error)
{
	uint64_t seen[WINDOW_PAGES / 64] = { 0 };
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;
	uint64_t gpa, end;

	while (igvm_next(file, &cursor, &d)) {
		if (!loaded_range(&d, &gpa, &end))
			continue;
		if (gpa < window)
			gpa = window;
		for (; gpa < end && gpa - window < WINDOW_SIZE; gpa += ABI_PAGE_SIZE) {
			uint64_t page = (gpa - window) / ABI_PAGE_SIZE;

			if (seen[page / 64] & 1ull << page % 64)
				return igvm_refuse(error, IGVM_ERR_CONTRADICTION, d.header_offset,
						   "page 0x%llx is loaded twice",
						   (unsigned long long)gpa);
			seen[page / 64] |= 1ull << page % 64;
		}
	}
	return true;
}

bool igvm_check_pages(const struct igvm_file *file, struct igvm_error *error)
{
	uint64_t window = 0, from = 0;

	for (unsigned int i = 0; find_window(file, from, &window); i++) {
		if (i == WINDOWS_MAX)
			return igvm_refuse(
				error, IGVM_ERR_UNSUPPORTED, file->header.variable_header_offset,
				"pages are scattered over more than %u ranges of 128 MiB",
				WINDOWS_MAX);
		if (!check_window(file, window, error))
			return false;
		from = window + WINDOW_SIZE;
	}
	return true;
}
