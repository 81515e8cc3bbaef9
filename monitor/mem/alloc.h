/* SPDX-License-Identifier: MIT */
/*
 * Pages of Socle's region, and of what it takes beside it, and nothing smaller: there is no heap.
 * Every page has an owner with a budget, and running out, of the budget or of the region, is an
 * error to handle. A page is zero when it is taken, and wiped when it is given back. Lock "pages".
 */
#ifndef SOCLE_MONITOR_MEM_ALLOC_H
#define SOCLE_MONITOR_MEM_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/base/addr.h"

#define PAGE_OWNERS_MAX 32u

/* One owner of pages. Set up once by page_owner_init(); then only this folder touches it. */
struct page_owner {
	const char *name;
	uint32_t limit; /* most pages it may have */
	uint32_t used;
	uint32_t peak; /* most that it has had */
	uint8_t id;    /* 1..PAGE_OWNERS_MAX */
	bool secret;   /* die() wipes its pages */
};

/*
 * Gives the allocator the pages [first, first + pages): validated, private and mapped. What they
 * hold does not matter. Called once. False when there are more than it can count.
 */
bool page_alloc_init(gpa_t first, size_t pages);

#define PAGE_ALLOC_MORE_MAX 2496u /* docs/budget.md */

/*
 * Gives it more, elsewhere: under the same conditions, once, and up to PAGE_ALLOC_MORE_MAX pages.
 * They follow the others, so what fits into the region is there. False otherwise.
 */
bool page_alloc_add(gpa_t first, size_t pages);

/* Registers an owner, which stays where it is for ever. False when there are too many. */
bool page_owner_init(struct page_owner *owner, const char *name, uint32_t limit, bool secret);

/* One zeroed page. False when the owner's budget or the region is used up. */
bool page_alloc(struct page_owner *owner, gpa_t *page);

/* count zeroed pages in a row, the first aligned to a power of two of pages. */
bool page_alloc_span(struct page_owner *owner, size_t count, size_t alignment, gpa_t *first);

/* Wipes pages and takes them back. Pages that the owner does not have are our own bug: die(). */
void page_free(struct page_owner *owner, gpa_t page);
void page_free_span(struct page_owner *owner, gpa_t first, size_t count);

/* True when owner has this page. */
bool page_owned(const struct page_owner *owner, gpa_t page);

/* Pages that nobody has, and all pages, for the log. */
void page_alloc_stats(size_t *free_pages, size_t *all_pages);

/* Zeroes every page of secret owners. For die() only: takes no lock. */
void page_wipe_secret(void);

#endif
