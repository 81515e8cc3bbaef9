/* SPDX-License-Identifier: MIT */
#include "monitor/service/snapshot.h"

#include <string.h>

#include "monitor/base/direct.h"
#include "monitor/service/process.h"

static va_t address_of(const struct snapshot_page *page)
{
	return (va_t){ page->number << ABI_PAGE_SHIFT };
}

static va_t after(va_t va)
{
	return (va_t){ va.raw + ABI_PAGE_SIZE };
}

/* ---- Taking ---- */

static bool make_list(struct service *service)
{
	struct snapshot *s = &service->snapshot;
	size_t span = (service->space.pages * sizeof(*s->pages) + ABI_PAGE_SIZE - 1) /
		      ABI_PAGE_SIZE;
	gpa_t first;

	if (span == 0 || !page_alloc_span(&service->owner, span, 1, &first))
		return false;
	s->pages = direct_ptr(first);
	s->first = first;
	s->span = span;
	return true;
}

/* Eight at once, for most pages are looked through to their end. */
static bool all_zero(const uint64_t *page)
{
	for (size_t i = 0; i < ABI_PAGE_SIZE / sizeof(*page); i += 8) {
		const uint64_t *at = page + i;

		if (at[0] | at[1] | at[2] | at[3] | at[4] | at[5] | at[6] | at[7])
			return false;
	}
	return true;
}

/* Most of a stack and of a heap is zeros, which need no copy. */
static bool keep(struct service *service, const struct space_page *page)
{
	struct snapshot *s = &service->snapshot;
	struct snapshot_page *kept = &s->pages[s->count];

	*kept = (struct snapshot_page){
		.number = page->va.raw >> ABI_PAGE_SHIFT,
		.rights = page->rights & 0xff,
		.content = SNAPSHOT_IN_PLACE,
	};
	if (page->owned && all_zero(direct_ptr(page->page))) {
		kept->content = SNAPSHOT_ZERO;
	} else if (page->owned) {
		if (!page_alloc(&service->owner, &kept->copy))
			return false;
		kept->content = SNAPSHOT_COPY;
		memcpy(direct_ptr(kept->copy), direct_ptr(page->page), ABI_PAGE_SIZE);
	}
	space_mark(&service->space, page->va);
	s->count++;
	return true;
}

bool snapshot_take(struct service *service)
{
	struct snapshot *s = &service->snapshot;
	struct space_page page;

	if (!make_list(service))
		return false;
	for (va_t at = { 0 }; space_next(&service->space, at, &page); at = after(page.va)) {
		if (keep(service, &page))
			continue;
		snapshot_free(service);
		return false;
	}
	s->context = service->context;
	s->heap_end = service->heap_end;
	s->read_buffer = service->read_buffer;
	s->read_size = service->read_size;
	for (unsigned int i = 0; i < CONF_FDS; i++)
		s->positions[i] = service->channels[i].position;
	return true;
}

void snapshot_free(struct service *service)
{
	struct snapshot *s = &service->snapshot;

	for (size_t i = 0; i < s->count; i++) {
		if (s->pages[i].content == SNAPSHOT_COPY)
			page_free(&service->owner, s->pages[i].copy);
	}
	if (s->pages)
		page_free_span(&service->owner, s->first, s->span);
	memset(s, 0, sizeof(*s));
}

/* ---- Setting back ---- */

static bool restore_page(struct service *service, const struct snapshot_page *kept,
			 const struct space_page *now)
{
	struct address_space *space = &service->space;

	if (kept->content == SNAPSHOT_COPY)
		memcpy(direct_ptr(now->page), direct_ptr(kept->copy), ABI_PAGE_SIZE);
	else if (kept->content == SNAPSHOT_ZERO)
		memset(direct_ptr(now->page), 0, ABI_PAGE_SIZE);
	if (now->rights != kept->rights && !space_protect(space, now->va, kept->rights))
		return false;
	space_mark(space, now->va);
	return true;
}

/*
 * Sets changed pages back, which are few, and drops those that are not in the list. Both the list
 * and the walk go by address.
 */
static bool restore_changed(struct service *service)
{
	const struct snapshot *s = &service->snapshot;
	struct address_space *space = &service->space;
	struct space_page page;
	bool whole = true;
	size_t i = 0;

	for (va_t at = { 0 }; space_next_changed(space, at, &page); at = after(page.va)) {
		while (i < s->count && address_of(&s->pages[i]).raw < page.va.raw)
			i++;
		if (i == s->count || address_of(&s->pages[i]).raw != page.va.raw)
			space_unmap(space, page.va);
		else
			whole = restore_page(service, &s->pages[i], &page) && whole;
	}
	return whole;
}

/* Maps again what the service has unmapped since: pages of its own, for it cannot unmap others. */
static bool restore_missing(struct service *service)
{
	const struct snapshot *s = &service->snapshot;
	struct address_space *space = &service->space;
	bool whole = true;

	for (size_t i = 0; i < s->count; i++) {
		va_t va = address_of(&s->pages[i]);
		struct space_page page;

		if (space_next(space, va, &page) && page.va.raw == va.raw)
			continue;
		whole = space_map_new(space, va, MAP_READ | MAP_WRITE) &&
			space_next(space, va, &page) &&
			restore_page(service, &s->pages[i], &page) && whole;
	}
	return whole;
}

bool snapshot_restore(struct service *service)
{
	const struct snapshot *s = &service->snapshot;
	bool whole = restore_changed(service);

	/* Not before: the memory for them comes from the pages that were dropped. */
	if (service->space.pages < s->count)
		whole = restore_missing(service) && whole;
	service->context = s->context;
	service->heap_end = s->heap_end;
	service->read_buffer = s->read_buffer;
	service->read_size = s->read_size;
	for (unsigned int i = 0; i < CONF_FDS; i++)
		service->channels[i].position = s->positions[i];
	return whole;
}
