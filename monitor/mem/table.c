/* SPDX-License-Identifier: MIT */
#include "monitor/mem/table.h"

#include "monitor/base/direct.h"

uint64_t *table_at(gpa_t page)
{
	return direct_ptr(page);
}

uint64_t *table_find(const struct table_root *tables, uint64_t va, unsigned int *level)
{
	uint64_t *table = table_at(tables->root);

	for (unsigned int at = TABLE_LEVELS - 1;; at--) {
		uint64_t *entry = &table[table_index(va, at)];

		if (!(*entry & PTE_PRESENT) || table_is_leaf(*entry, at)) {
			*level = at;
			return entry;
		}
		table = table_at(table_target(*entry, tables->c_bit));
	}
}

/* Replaces a large page by a table of the next smaller pages that map just the same. */
static bool split(const struct table_root *tables, uint64_t *entry, unsigned int level,
		  uint64_t flags, struct page_owner *owner)
{
	gpa_t page;

	if (!page_alloc(owner, &page))
		return false;

	uint64_t *table = table_at(page);
	uint64_t small = level == 1 ? *entry & ~PTE_LARGE : *entry;

	for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
		table[i] = small + i * table_span(level - 1);
	*entry = page.raw | tables->c_bit | flags;
	return true;
}

static bool add_table(const struct table_root *tables, uint64_t *entry, uint64_t flags,
		      struct page_owner *owner)
{
	gpa_t page;

	if (!page_alloc(owner, &page))
		return false;
	*entry = page.raw | tables->c_bit | flags;
	return true;
}

uint64_t *table_make_at(const struct table_root *tables, uint64_t va, unsigned int to,
			uint64_t flags, struct page_owner *owner)
{
	for (;;) {
		unsigned int level;
		uint64_t *entry = table_find(tables, va, &level);

		if (level <= to)
			return level == to ? entry : NULL;

		bool done = *entry & PTE_PRESENT ? split(tables, entry, level, flags, owner)
						 : add_table(tables, entry, flags, owner);

		if (!done)
			return NULL;
	}
}

uint64_t *table_make(const struct table_root *tables, uint64_t va, uint64_t flags,
		     struct page_owner *owner)
{
	return table_make_at(tables, va, 0, flags, owner);
}
