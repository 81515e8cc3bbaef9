/* SPDX-License-Identifier: MIT */
/*
 * Guest RAM and its RMP, which is the truth about every page. A page's bytes look scrambled from
 * the side that it is not on. Guest-physical addresses may carry the C-bit or not: it is ignored in
 * this folder.
 */
#ifndef SOCLE_MACHINE_HV_MEMORY_GUEST_H
#define SOCLE_MACHINE_HV_MEMORY_GUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "core/snp/rmp.h"
#include "machine/mailbox.h"

#define HV_C_BIT (1ull << MACHINE_C_BIT)

/* The PC's hole for video memory; the RAM above it shadows the ROMs (device/chipset.h). */
#define GUEST_HOLE_START 0xa0000ull
#define GUEST_HOLE_END 0xc0000ull

enum guest_side {
	GUEST_SHARED,  /* not assigned in the RMP: what the host may touch */
	GUEST_PRIVATE, /* assigned: only what plays the CPU may touch it */
};

/*
 * Where there is RAM, by page numbers: from 0 on, so many pages from GUEST_PAGE_EXTRA on, from the
 * flash on to 4 GiB, and from 4 GiB on. A machine with devices has a place of its own for each page
 * while they may reach it (shown, not 0): shown_at is that of page 0. A device that goes on with a
 * request when the page is private writes there, and nobody looks.
 */
struct guest_layout {
	uint64_t low_end, extra_pages, flash, high_end;
	uint8_t *shown; /* for each page; NULL: there are no devices */
	uint64_t shown_at;
};

extern struct guest_layout guest_layout;

/* Sets up the RMP from the mailbox, with what was launched. Once, on the boot CPU. */
void guest_init(void);

/* The number of the page of gpa. */
static inline uint64_t guest_page(uint64_t gpa)
{
	return (gpa & ~HV_C_BIT) >> ABI_PAGE_SHIFT;
}

/* The RMP. For the functions below, which are called for each of many pages. */
extern struct rmp guest_ram;

static inline struct rmp *guest_rmp_table(void)
{
	return &guest_ram;
}

#define GUEST_PAGE_4G (MACHINE_4G >> ABI_PAGE_SHIFT)
#define GUEST_PAGE_EXTRA (MACHINE_EXTRA_BASE >> ABI_PAGE_SHIFT)

/* True when the page of gpa is guest RAM, so neither device memory nor a hole. */
static inline bool guest_is_ram(uint64_t gpa)
{
	uint64_t page = guest_page(gpa);

	if (page >= GUEST_HOLE_START >> ABI_PAGE_SHIFT && page < GUEST_HOLE_END >> ABI_PAGE_SHIFT)
		return false;
	if (page >= GUEST_PAGE_4G)
		return page < guest_layout.high_end;
	return page < guest_layout.low_end || page >= guest_layout.flash ||
	       page - GUEST_PAGE_EXTRA < guest_layout.extra_pages;
}

/* Where a page of guest RAM is: for nested page tables, and for this CPU. */
static inline uint64_t guest_frame(uint64_t page)
{
	uint64_t at = page << ABI_PAGE_SHIFT;

	if (guest_layout.shown && guest_layout.shown[page])
		return guest_layout.shown_at + at;
	if (page < GUEST_PAGE_EXTRA || page >= GUEST_PAGE_4G)
		return at;
	if (page < guest_layout.flash)
		return MACHINE_HV_BASE + MACHINE_EXTRA_OFFSET + (at - MACHINE_EXTRA_BASE);
	return MACHINE_HV_BASE + MACHINE_FLASH_OFFSET + (at - (MACHINE_4G - MACHINE_FLASH_MAX));
}

/* The RMP entry of a page, NULL outside RAM. */
static inline struct rmp_entry *guest_rmp(uint64_t gpa)
{
	return guest_is_ram(gpa) ? &guest_ram.entries[guest_page(gpa)] : NULL;
}

/*
 * The bytes [gpa, gpa + size), which must lie in one page that is on that side; NULL otherwise.
 * The pointer is good while the big lock is held; other vCPUs may write the bytes meanwhile.
 */
void *guest_ptr(uint64_t gpa, size_t size, enum guest_side side);

/* Writes to shared pages. False, and possibly a part written, when one of them is not shared. */
bool guest_write_shared(uint64_t gpa, const void *from, size_t size);

/* Reads them, in the same way. */
bool guest_read_shared(uint64_t gpa, void *to, size_t size);

#endif
