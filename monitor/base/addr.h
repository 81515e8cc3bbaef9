/* SPDX-License-Identifier: MIT */
/*
 * Addresses that cannot be mixed up: each kind is a structure of its own, so that passing one for
 * another does not compile.
 */
#ifndef SOCLE_MONITOR_BASE_ADDR_H
#define SOCLE_MONITOR_BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/types.h"

/* A guest-physical address, without C-bit. Guest here is the whole VM, Socle's region included. */
typedef struct {
	uint64_t raw;
} gpa_t;

/* A virtual address of the monitor or of a service. */
typedef struct {
	uint64_t raw;
} va_t;

static inline gpa_t gpa(uint64_t raw)
{
	return (gpa_t){ raw };
}

static inline va_t va(uint64_t raw)
{
	return (va_t){ raw };
}

/* To the start of a page: that of at, or the next one. */
static inline uint64_t page_down(uint64_t at)
{
	return at & ~(uint64_t)(ABI_PAGE_SIZE - 1);
}

static inline uint64_t page_up(uint64_t at)
{
	return page_down(at + ABI_PAGE_SIZE - 1);
}

static inline bool gpa_aligned(gpa_t at, uint64_t alignment)
{
	return (at.raw & (alignment - 1)) == 0;
}

static inline gpa_t gpa_page(gpa_t at)
{
	return gpa(page_down(at.raw));
}

/* at + size, false when that wraps. */
static inline bool gpa_add(gpa_t at, uint64_t size, gpa_t *sum)
{
	return !__builtin_add_overflow(at.raw, size, &sum->raw);
}

/* True when [at, at + size) does not wrap and lies within [base, base + limit). */
static inline bool gpa_within(gpa_t at, uint64_t size, gpa_t base, uint64_t limit)
{
	return at.raw >= base.raw && at.raw - base.raw <= limit &&
	       size <= limit - (at.raw - base.raw);
}

#endif
