/* SPDX-License-Identifier: MIT */
#include "tools/igvm/page_tables.h"

#include <stdlib.h>
#include <string.h>

#include "abi/types.h"

#define ENTRIES 512u
#define LEVEL_PT 1
#define LEVEL_PD 2
#define LEVEL_ROOT 4

/* Adds an empty table and returns its index; 0, which is the root's, when memory is out. */
static size_t add_table(struct page_tables *tables)
{
	uint64_t *entries = realloc(tables->entries, (tables->pages + 1) * ABI_PAGE_SIZE);

	if (!entries) {
		tables->out_of_memory = true;
		return 0;
	}
	tables->entries = entries;
	memset(entries + tables->pages * ENTRIES, 0, ABI_PAGE_SIZE);
	return tables->pages++;
}

void page_tables_init(struct page_tables *tables, uint64_t gpa, uint64_t c_bit)
{
	*tables = (struct page_tables){ .gpa = gpa, .c_bit = c_bit };
	add_table(tables);
}

void page_tables_free(struct page_tables *tables)
{
	free(tables->entries);
	*tables = (struct page_tables){ 0 };
}

static size_t slot(size_t table, uint64_t va, int level)
{
	return table * ENTRIES + (va >> (ABI_PAGE_SHIFT + 9 * (level - 1)) & (ENTRIES - 1));
}

static size_t table_of(const struct page_tables *tables, uint64_t entry)
{
	return ((entry & PTE_ADDRESS & ~tables->c_bit) - tables->gpa) / ABI_PAGE_SIZE;
}

/* The table below an entry, made if it is not there. */
static size_t descend(struct page_tables *tables, size_t at)
{
	size_t next;

	if (tables->entries[at] & PTE_PRESENT)
		return table_of(tables, tables->entries[at]);
	next = add_table(tables);
	if (next != 0)
		tables->entries[at] = (tables->gpa + next * ABI_PAGE_SIZE) | tables->c_bit |
				      PTE_PRESENT | PTE_WRITE | PTE_ACCESSED;
	return next;
}

void page_tables_map(struct page_tables *tables, uint64_t va, uint64_t gpa, uint64_t flags)
{
	int last = flags & PTE_LARGE ? LEVEL_PD : LEVEL_PT;
	size_t table = 0;

	if (tables->out_of_memory)
		return;
	for (int level = LEVEL_ROOT; level > last; level--) {
		table = descend(tables, slot(table, va, level));
		if (tables->out_of_memory)
			return;
	}
	tables->entries[slot(table, va, last)] = gpa | flags | tables->c_bit | PTE_PRESENT |
						 PTE_ACCESSED | (flags & PTE_WRITE ? PTE_DIRTY : 0);
}
