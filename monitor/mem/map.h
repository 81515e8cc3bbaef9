/* SPDX-License-Identifier: MIT */
/*
 * Page tables: the monitor's own half, and address spaces of services in the low half. No page is
 * writable and executable, under any name: a service may execute only what the direct map shows
 * read-only, which is the archive.
 */
#ifndef SOCLE_MONITOR_MEM_MAP_H
#define SOCLE_MONITOR_MEM_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/params.h"
#include "monitor/base/addr.h"
#include "monitor/mem/alloc.h"

#define MAP_READ (1u << 0) /* present at all */
#define MAP_WRITE (1u << 1)
#define MAP_EXEC (1u << 2)

/* Services live in [SPACE_USER_MIN, SPACE_USER_MAX). */
#define SPACE_USER_MIN 0x10000ull
#define SPACE_USER_MAX 0x0000800000000000ull

/* ---- The monitor's own half. Lock "map". ---- */

/* Everything map.c knows of the machine. */
struct map_config {
	gpa_t root;
	uint64_t c_bit;		 /* the mask, not the position */
	struct socle_range text; /* gPA of the monitor's text and read-only data */
	struct socle_range archive;
};

/*
 * Takes over the tables that the image came with: drops the low half, makes text and archive
 * read-only in the direct map, and checks that nothing is writable and executable. owner pays for
 * tables that are split. False when the tables contradict the configuration.
 */
bool map_init(const struct map_config *config, struct page_owner *owner);

/* Maps one private page of the monitor at va, which is in its half and not mapped. */
bool map_kernel_page(va_t va, gpa_t page, unsigned int rights);

/* Takes rights away from pages of the monitor: SEALED is MAP_READ. Flushes this CPU's TLB. */
bool map_kernel_protect(va_t va, size_t pages, unsigned int rights);

/*
 * Makes the direct map show the 4 KiB page with C=0 (shared) or C=1. Only the name changes; the
 * page itself is changed by PVALIDATE and the host. Flushes this CPU's TLB, so it is for pages
 * that no other vCPU has used yet.
 */
bool map_direct_shared(gpa_t page, bool shared);

/*
 * Adds RAM to the direct map, writable and not executable, in pages of 2 MiB where that is
 * possible. Pages that it shows already are left alone. False: the range is not of whole pages, or
 * there is no memory for a table.
 */
bool map_direct_add(struct socle_range range);

/*
 * True when the direct map shows the page read-only. *alike becomes the bytes from page on of which
 * the same is known by this: of size bytes that are asked for all, less, or more.
 */
bool map_direct_sealed(gpa_t page, uint64_t size, uint64_t *alike);

/* CR3 of the monitor without any service: the root with C-bit. */
uint64_t map_kernel_cr3(void);

/* The C-bit's mask, and the root table whose upper half every address space repeats. */
uint64_t map_c_bit(void);
const uint64_t *map_kernel_root(void);

/* ---- Address spaces. The caller makes sure that one CPU at a time uses a space. ---- */

struct address_space {
	gpa_t root;
	struct page_owner *owner; /* pays for tables and for pages of space_map_new() */
	size_t pages;		  /* that are mapped, with any rights */
	uint32_t generation;	  /* counts changes that an older TLB must not survive */
};

/* Makes an empty space. False: no memory. */
bool space_create(struct address_space *space, struct page_owner *owner);

/*
 * Frees tables and the pages of space_map_new(). Pages of space_map() are their owner's. No CPU is
 * in the space any more (user_leave()).
 */
void space_destroy(struct address_space *space);

/*
 * Maps so many pages in a row for ring 3. Refused (false): none, va not in user range, page
 * misaligned, MAP_WRITE with MAP_EXEC, MAP_EXEC of a page that the direct map shows writable,
 * MAP_WRITE of one that it shows read-only; and, with those mapped that tables before its own have,
 * where a page is mapped already, or no memory for a table.
 */
bool space_map(struct address_space *space, va_t va, gpa_t page, uint64_t pages,
	       unsigned int rights);

/* Maps a fresh zeroed page that belongs to the space. Refused as above; never MAP_EXEC. */
bool space_map_new(struct address_space *space, va_t va, unsigned int rights);

/* Unmaps the page if there is one, and frees it when it belongs to the space. */
void space_unmap(struct address_space *space, va_t va);

/* Changes the rights of a mapped page. 0: present for us, unreachable for the service. */
bool space_protect(struct address_space *space, va_t va, unsigned int rights);

/* The page behind va and its rights. False when nothing is mapped there. */
bool space_lookup(const struct address_space *space, va_t va, gpa_t *page, unsigned int *rights);

/* A mapped page as space_next() finds it. */
struct space_page {
	va_t va;
	gpa_t page;
	unsigned int rights;
	bool owned; /* it came from space_map_new() */
};

/* The first mapped page at or above the page of from, with any rights. False when there is none. */
bool space_next(const struct address_space *space, va_t from, struct space_page *found);

/*
 * Marks the page, if there is one: it counts as unchanged from now on, until the service or
 * space_write() writes to it, its rights are set, or another page takes its place. No CPU is in the
 * space.
 */
void space_mark(struct address_space *space, va_t va);

/* As space_next(), but passes over pages that are unchanged. */
bool space_next_changed(const struct address_space *space, va_t from, struct space_page *found);

/*
 * Copy from and to a service's memory through the direct map: no fault, no SMAP window. False,
 * with a part copied, when a page is not mapped for the service with that right. Callers check
 * first (space_check) where a half-done copy matters.
 */
bool space_read(const struct address_space *space, void *to, va_t from, size_t size);
bool space_write(const struct address_space *space, va_t to, const void *from, size_t size);

/* True when all of [at, at + size) is mapped for the service with these rights. */
bool space_check(const struct address_space *space, va_t at, size_t size, unsigned int rights);

/* Value of CR3 for the space. */
uint64_t space_cr3(const struct address_space *space);

#endif
