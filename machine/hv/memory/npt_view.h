/* SPDX-License-Identifier: MIT */
/* What npt.c and stale.c know of nested page tables. Nobody else includes this. */
#ifndef SOCLE_MACHINE_HV_MEMORY_NPT_VIEW_H
#define SOCLE_MACHINE_HV_MEMORY_NPT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/hv/memory/npt.h"

#define NPT_PRESENT (1ull << 0)
#define NPT_WRITE (1ull << 1)
#define NPT_USER (1ull << 2) /* nested walks are user accesses */
#define NPT_ACCESSED_DIRTY (3ull << 5)
#define NPT_NO_EXECUTE (1ull << 63)
#define NPT_TABLE (NPT_PRESENT | NPT_WRITE | NPT_USER | NPT_ACCESSED_DIRTY)
#define NPT_ENTRIES 512u

/*
 * A view of guest memory: its third-level table covers 512 GiB, its second-level tables are one
 * array, and so are all leaf entries, one for each page.
 */
struct npt_view {
	uint64_t *level3, *level2, *leaves;
};

/* A root with low at gPA 0 and high at the C-bit. */
uint64_t *npt_new_root(const struct npt_view *low, const struct npt_view *high);

/* Second-level tables of a view, in pages. */
uint64_t npt_level2_pages(void);

/* The view of shared pages, and that of the private pages of a VMPL. */
const struct npt_view *npt_shared_view(void);
const struct npt_view *npt_private_view(unsigned int vmpl);

/* What a VMPL may do with a page, and a nested table can say. */
#define NPT_MAY_READ 1u
#define NPT_MAY_WRITE 2u
#define NPT_MAY_EXECUTE 4u

/* NPT_MAY_* of each page, as the RMP has them for that VMPL; whole tables of entries. */
const uint8_t *npt_rights(unsigned int vmpl);

/* The leaf entry for a page with these rights, as far as its use permits (npt_use()). */
uint64_t npt_private_leaf(uint64_t page, uint8_t rights);

/* Writes a leaf entry. Returns whether a right was lost. */
static inline bool npt_set_leaf(uint64_t *leaf, uint64_t value)
{
	uint64_t old = *leaf;
	bool lost = (old & ~value & (NPT_PRESENT | NPT_WRITE)) || (value & ~old & NPT_NO_EXECUTE);

	*leaf = value;
	return (old & NPT_PRESENT) && lost;
}

#endif
