/* SPDX-License-Identifier: MIT */
/* Which guest memory there is, and which of it is taken: how the builders find places. */
#ifndef SOCLE_TOOLS_IGVM_MEMORY_PLAN_H
#define SOCLE_TOOLS_IGVM_MEMORY_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/params.h"

#define MEMORY_LOW_END 0xa0000ull /* where a PC's video memory and ROMs begin */
/* From here to 1 MiB RAM shadows the ROMs: an operating system searches it, but may not have it. */
#define MEMORY_SHADOW_START 0xc0000ull
#define MEMORY_HIGH_START (1ull << 20)
#define MEMORY_BELOW_4G_MAX (2ull << 30)
#define MEMORY_4G (4ull << 30)
#define MEMORY_PLAN_TAKEN_MAX 64u

struct memory_plan {
	/* Below 640 KiB, from 768 KiB, and what there is from 4 GiB on. */
	struct socle_range ram[3];
	uint32_t ram_count;
	uint32_t taken_count;
	struct socle_range taken[MEMORY_PLAN_TAKEN_MAX];
};

/*
 * A PC with memory bytes of RAM; more than 1 MiB, whole 2 MiB. What is beyond 2 GiB lies from 4 GiB
 * on, behind the devices.
 */
void memory_plan_init(struct memory_plan *plan, uint64_t memory);

/* Takes exactly this range; false when it is not free RAM. Both values page-aligned. */
bool memory_plan_take(struct memory_plan *plan, uint64_t gpa, uint64_t size);

/* Takes the lowest place at or above min; 0 when there is none. Sizes are rounded up to pages. */
uint64_t memory_plan_lowest(struct memory_plan *plan, uint64_t size, uint64_t alignment,
			    uint64_t min);

/* Takes the highest place, page-aligned, that ends at or below limit; 0 when there is none. */
uint64_t memory_plan_highest(struct memory_plan *plan, uint64_t size, uint64_t limit);

#endif
