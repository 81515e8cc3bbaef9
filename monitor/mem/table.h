/* SPDX-License-Identifier: MIT */
/*
 * x86-64 page tables as data: entries, walking, splitting. What the entries mean for whom is
 * map.c's business. Tables are reached through the direct map.
 */
#ifndef SOCLE_MONITOR_MEM_TABLE_H
#define SOCLE_MONITOR_MEM_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/base/addr.h"
#include "monitor/mem/alloc.h"

#define TABLE_ENTRIES 512u
#define TABLE_LEVELS 4u

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE (1ull << 1)
#define PTE_USER (1ull << 2)
#define PTE_DIRTY (1ull << 6) /* set by the CPU */
#define PTE_LARGE (1ull << 7)
/* Ignored by the CPU. */
#define PTE_OWNED (1ull << 9)	/* the page belongs to the address space */
#define PTE_MARKED (1ull << 10) /* by space_mark(); the same page and rights since */
#define PTE_NO_EXEC (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull /* with the C-bit still in it */

/* What all walks need: where the root is and which bit is the C-bit. */
struct table_root {
	gpa_t root;
	uint64_t c_bit; /* mask */
};

/* Bytes that one entry of a level maps; level 0 is the last. */
static inline uint64_t table_span(unsigned int level)
{
	return (uint64_t)ABI_PAGE_SIZE << (9 * level);
}

static inline unsigned int table_index(uint64_t va, unsigned int level)
{
	return (va >> (ABI_PAGE_SHIFT + 9 * level)) % TABLE_ENTRIES;
}

static inline gpa_t table_target(uint64_t entry, uint64_t c_bit)
{
	return gpa(entry & PTE_ADDRESS & ~c_bit);
}

/* True when the entry at that level maps a page and no further table. */
static inline bool table_is_leaf(uint64_t entry, unsigned int level)
{
	return level == 0 || (entry & PTE_LARGE);
}

/* The entries of the table at page. */
uint64_t *table_at(gpa_t page);

/*
 * The last entry on the way to va, which may be not present or large; *level becomes its level.
 * NULL never.
 */
uint64_t *table_find(const struct table_root *tables, uint64_t va, unsigned int *level);

/*
 * The entry of va at that level, which is not present or maps a page, making tables as table_make()
 * does. NULL also when there are smaller pages already.
 */
uint64_t *table_make_at(const struct table_root *tables, uint64_t va, unsigned int to,
			uint64_t flags, struct page_owner *owner);

/*
 * The level-0 entry of va, making tables with flags and splitting large pages on the way. NULL
 * when owner has no memory for a table; what was built so far stays and is harmless.
 */
uint64_t *table_make(const struct table_root *tables, uint64_t va, uint64_t flags,
		     struct page_owner *owner);

#endif
