/* SPDX-License-Identifier: MIT */
/*
 * The tables of nested paging: one view of the shared pages, and one of the private pages for each
 * VMPL. npt.c keeps them in line with the RMP; stale.c adds views with rights that were lost.
 */
#ifndef SOCLE_MACHINE_HV_MEMORY_NPT_VIEW_H
#define SOCLE_MACHINE_HV_MEMORY_NPT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/snp.h"
#include "machine/hv/memory/code_use.h"

#define NPT_PRESENT (1ull << 0)
#define NPT_WRITE (1ull << 1)
#define NPT_USER (1ull << 2) /* nested walks are user accesses */
#define NPT_ACCESSED_DIRTY (3ull << 5)
#define NPT_LARGE (1ull << 7)
#define NPT_NO_EXECUTE (1ull << 63)
#define NPT_TABLE (NPT_PRESENT | NPT_WRITE | NPT_USER | NPT_ACCESSED_DIRTY)
#define NPT_ENTRIES 512u

/*
 * A view of guest memory: its third-level table covers 512 GiB, its second-level tables are one
 * array, and so are all leaf entries, one for each page. Below the C-bit a paging guest sees the
 * shared view, a flat one this view, too.
 */
struct npt_view {
	uint64_t *level3, *level2, *leaves;
	uint64_t *root_paging, *root_flat;
};

/* Makes the views, with all leaf entries empty. After guest_init(). */
void npt_view_init(void);

/* Makes the tables of one more private view above these leaf entries. */
void npt_view_make(struct npt_view *view, uint64_t *leaves);

/* The view of the private pages of a VMPL. */
const struct npt_view *npt_private_view(unsigned int vmpl);

/* What a VMPL may do with a page, and a nested table can say. */
#define NPT_MAY_READ 1u
#define NPT_MAY_WRITE 2u
#define NPT_MAY_EXECUTE 4u

/* NPT_MAY_* of each page, as the RMP has them for that VMPL; whole tables of entries. */
uint8_t *npt_rights(unsigned int vmpl);

/*
 * Shows a private page in the shared view until the next npt_sync() of it: for fetches and, with
 * table, for page-table walks, which are private on hardware whatever the C-bit says, as far as
 * its use permits. The caller makes sure that nobody learns what it must not.
 */
void npt_expose(uint64_t gpa, bool table);

/* The leaf entry for a page with these rights, as far as its use permits. */
uint64_t npt_private_leaf(uint64_t page, uint8_t rights);

/*
 * From now on no page is open to writes and fetches at once, as all are at first: they become
 * CODE_WRITTEN, with their leaf entries.
 */
void npt_view_part_uses(void);

/* What a page of guest RAM is open to, in all views; the leaf entries do not change with it. */
enum code_use npt_use(uint64_t gpa);
void npt_view_set_use(uint64_t gpa, enum code_use use);

/*
 * Writes the leaf entries of a page: private ones by npt_rights(), the shared one by the RMP unless
 * it is hidden. Returns whether a right was lost.
 */
bool npt_view_set_leaves(uint64_t page, bool hidden);

/*
 * After leaf entries of count pages from page were written, and before anybody waits until what
 * they lost is out of use: makes one entry of 2 MiB of 512 that say the same, and 512 of it again
 * where they do not.
 */
void npt_view_fold(uint64_t page, uint64_t count);

/* Takes the right to execute from count leaf entries. */
static inline void npt_forbid_execution(uint64_t *leaves, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		if (leaves[i] & NPT_PRESENT)
			leaves[i] |= NPT_NO_EXECUTE;
}

/* Writes a leaf entry. Returns whether a right was lost. */
static inline bool npt_set_leaf(uint64_t *leaf, uint64_t value)
{
	uint64_t old = *leaf;
	bool lost = (old & ~value & (NPT_PRESENT | NPT_WRITE)) || (value & ~old & NPT_NO_EXECUTE);

	*leaf = value;
	return (old & NPT_PRESENT) && lost;
}

#endif
