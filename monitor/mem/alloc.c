/* SPDX-License-Identifier: MIT */
#include "monitor/mem/alloc.h"

#include <string.h>

#include "abi/params.h"
#include "monitor/base/die.h"
#include "monitor/base/direct.h"
#include "monitor/lock/lock.h"

#define PAGES_MAX (SOCLE_REGION_SIZE / ABI_PAGE_SIZE + PAGE_ALLOC_MORE_MAX)
#define OWNER_NOBODY 0u
#define UNTOUCHED 0x80u /* beside the owner: the page is not cleared yet */
_Static_assert(PAGE_OWNERS_MAX < UNTOUCHED, "an owner and the mark are two things");

/* One byte for each page of the pool says whose it is, and whether it still holds anything. */
struct page_pool {
	struct lock lock;
	gpa_t first, more; /* two pieces: pages of the region, and then those that were added */
	size_t of_first;
	size_t pages; /* of both */
	size_t free;
	size_t low; /* no page below it is free */
	uint8_t owner_of[PAGES_MAX];
	unsigned int owners;
	const struct page_owner *owner[PAGE_OWNERS_MAX + 1];
};

static struct page_pool pool = { .lock = { .rank = LOCK_RANK_PAGES } };

static gpa_t page_at(size_t index)
{
	return index < pool.of_first
		       ? gpa(pool.first.raw + (uint64_t)index * ABI_PAGE_SIZE)
		       : gpa(pool.more.raw + (uint64_t)(index - pool.of_first) * ABI_PAGE_SIZE);
}

bool page_alloc_init(gpa_t first, size_t pages)
{
	if (!gpa_aligned(first, ABI_PAGE_SIZE) || pages > PAGES_MAX)
		return false;

	pool.first = first;
	pool.pages = pool.of_first = pages;
	pool.free = pages;
	pool.low = 0;
	memset(pool.owner_of, OWNER_NOBODY | UNTOUCHED, pages);
	return true;
}

bool page_alloc_add(gpa_t first, size_t pages)
{
	if (!gpa_aligned(first, ABI_PAGE_SIZE) || pool.pages != pool.of_first ||
	    pages > PAGES_MAX - pool.pages)
		return false;

	lock_acquire(&pool.lock);
	pool.more = first;
	memset(&pool.owner_of[pool.pages], OWNER_NOBODY | UNTOUCHED, pages);
	pool.pages += pages;
	pool.free += pages;
	lock_release(&pool.lock);
	return true;
}

bool page_owner_init(struct page_owner *owner, const char *name, uint32_t limit, bool secret)
{
	lock_acquire(&pool.lock);
	if (pool.owners == PAGE_OWNERS_MAX) {
		lock_release(&pool.lock);
		return false;
	}
	pool.owners++;
	*owner = (struct page_owner){
		.name = name, .limit = limit, .id = (uint8_t)pool.owners, .secret = secret
	};
	pool.owner[owner->id] = owner;
	lock_release(&pool.lock);
	return true;
}

static unsigned int owner_at(size_t index)
{
	return pool.owner_of[index] & ~UNTOUCHED;
}

/* First index not below start of count free pages, aligned in gPA; pool.pages if there is none. */
static size_t find_free(size_t start, size_t count, size_t alignment)
{
	size_t run = 0;

	for (size_t i = start; i < pool.pages; i++) {
		if (i == pool.of_first)
			run = 0;
		if (!run && (page_at(i).raw >> ABI_PAGE_SHIFT & (alignment - 1)))
			continue;
		run = owner_at(i) == OWNER_NOBODY ? run + 1 : 0;
		if (run == count)
			return i + 1 - count;
	}
	return pool.pages;
}

/*
 * The lowest that fit: an owner that allocates and frees at will stays within as many pages as its
 * budget has, and cannot fragment the rest.
 */
static bool take_span(struct page_owner *owner, size_t count, size_t alignment, gpa_t *first)
{
	if (!count || count > pool.free || count > owner->limit - owner->used)
		return false;

	size_t first_free = find_free(pool.low, 1, 1);
	size_t at = find_free(first_free, count, alignment);

	pool.low = first_free;
	if (at == pool.pages)
		return false;

	for (size_t i = at; i < at + count; i++)
		pool.owner_of[i] |= owner->id;
	owner->used += (uint32_t)count;
	if (owner->used > owner->peak)
		owner->peak = owner->used;
	pool.free -= count;
	if (at == pool.low)
		pool.low += count;
	*first = page_at(at);
	return true;
}

/* Index of a page of the pool; pool.pages for any other address. */
static size_t page_index(gpa_t page)
{
	uint64_t first = (uint64_t)pool.of_first * ABI_PAGE_SIZE;
	uint64_t more = (uint64_t)(pool.pages - pool.of_first) * ABI_PAGE_SIZE;

	if (!gpa_aligned(page, ABI_PAGE_SIZE))
		return pool.pages;
	if (gpa_within(page, ABI_PAGE_SIZE, pool.first, first))
		return (page.raw - pool.first.raw) >> ABI_PAGE_SHIFT;
	if (gpa_within(page, ABI_PAGE_SIZE, pool.more, more))
		return pool.of_first + ((page.raw - pool.more.raw) >> ABI_PAGE_SHIFT);
	return pool.pages;
}

/*
 * Pages that nobody ever takes cost the start nothing. Those of a span that was taken are the
 * taker's alone, and so are their marks until then, so clearing needs no lock.
 */
static void clear_untouched(size_t at, size_t count)
{
	bool some = false;

	for (size_t i = at; i < at + count; i++) {
		if (!(pool.owner_of[i] & UNTOUCHED))
			continue;
		memset(direct_ptr(page_at(i)), 0, ABI_PAGE_SIZE);
		some = true;
	}
	if (!some)
		return;
	lock_acquire(&pool.lock);
	for (size_t i = at; i < at + count; i++)
		pool.owner_of[i] &= (uint8_t)~UNTOUCHED;
	lock_release(&pool.lock);
}

bool page_alloc_span(struct page_owner *owner, size_t count, size_t alignment, gpa_t *first)
{
	lock_acquire(&pool.lock);

	bool found = take_span(owner, count, alignment, first);

	lock_release(&pool.lock);
	if (found)
		clear_untouched(page_index(*first), count);
	return found;
}

bool page_alloc(struct page_owner *owner, gpa_t *page)
{
	return page_alloc_span(owner, 1, 1, page);
}

static bool owns(const struct page_owner *owner, gpa_t page)
{
	size_t index = page_index(page);

	return index < pool.pages && owner_at(index) == owner->id;
}

bool page_owned(const struct page_owner *owner, gpa_t page)
{
	lock_acquire(&pool.lock);

	bool owned = owns(owner, page);

	lock_release(&pool.lock);
	return owned;
}

void page_free(struct page_owner *owner, gpa_t page)
{
	assert_own(page_owned(owner, page), "page freed that the owner does not have");
	/* Nobody else can have the page before it is marked free, so wiping needs no lock. */
	memset(direct_ptr(page), 0, ABI_PAGE_SIZE);

	size_t index = page_index(page);

	lock_acquire(&pool.lock);
	pool.owner_of[index] = OWNER_NOBODY;
	pool.free++;
	if (index < pool.low)
		pool.low = index;
	owner->used--;
	lock_release(&pool.lock);
}

void page_free_span(struct page_owner *owner, gpa_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		page_free(owner, gpa(first.raw + (uint64_t)i * ABI_PAGE_SIZE));
}

void page_alloc_stats(size_t *free_pages, size_t *all_pages)
{
	lock_acquire(&pool.lock);
	*free_pages = pool.free;
	*all_pages = pool.pages;
	lock_release(&pool.lock);
}

void page_wipe_secret(void)
{
	for (size_t i = 0; i < pool.pages; i++) {
		unsigned int id = owner_at(i);

		if (id != OWNER_NOBODY && pool.owner[id]->secret)
			memset(direct_ptr(page_at(i)), 0, ABI_PAGE_SIZE);
	}
}
