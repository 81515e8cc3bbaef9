/* SPDX-License-Identifier: MIT */
/*
 * Four-level page tables, built in memory for a place in guest memory; the first page is the root.
 */
#ifndef SOCLE_TOOLS_IGVM_PAGE_TABLES_H
#define SOCLE_TOOLS_IGVM_PAGE_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE (1ull << 1)
#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY (1ull << 6)
#define PTE_LARGE (1ull << 7)
#define PTE_NO_EXECUTE (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull

struct page_tables {
	uint64_t gpa;	/* where they will lie */
	uint64_t c_bit; /* a mask that every present entry gets, or 0 */
	uint64_t *entries;
	size_t pages;
	bool out_of_memory; /* sticky */
};

/* Starts with an empty root; page_tables_free() ends. */
void page_tables_init(struct page_tables *tables, uint64_t gpa, uint64_t c_bit);
void page_tables_free(struct page_tables *tables);

/* Maps one page, 2 MiB if flags have PTE_LARGE, else 4 KiB. What was mapped there is replaced. */
void page_tables_map(struct page_tables *tables, uint64_t va, uint64_t gpa, uint64_t flags);

#endif
