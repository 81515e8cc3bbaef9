/* SPDX-License-Identifier: MIT */
#include "tools/igvm/memory_plan.h"

#define ROUND_UP(value, to) (((value) + (to)-1) / (to) * (to))

void memory_plan_init(struct memory_plan *plan, uint64_t memory)
{
	uint64_t end = memory < MEMORY_BELOW_4G_MAX ? memory : MEMORY_BELOW_4G_MAX;

	*plan = (struct memory_plan){
		.ram = { { 0, MEMORY_LOW_END },
			 { MEMORY_SHADOW_START, end - MEMORY_SHADOW_START },
			 { MEMORY_4G, memory - end } },
		.ram_count = memory > end ? 3 : 2,
	};
}

static bool overlaps(const struct socle_range *range, uint64_t gpa, uint64_t size)
{
	return gpa < range->gpa + range->size && range->gpa < gpa + size;
}

static bool is_ram(const struct memory_plan *plan, uint64_t gpa, uint64_t size)
{
	for (uint32_t i = 0; i < plan->ram_count; i++) {
		const struct socle_range *ram = &plan->ram[i];

		if (gpa >= ram->gpa && size <= ram->size && gpa - ram->gpa <= ram->size - size)
			return true;
	}
	return false;
}

/* The taken range that stands in the way, or NULL. */
static const struct socle_range *obstacle(const struct memory_plan *plan, uint64_t gpa,
					  uint64_t size)
{
	for (uint32_t i = 0; i < plan->taken_count; i++) {
		if (overlaps(&plan->taken[i], gpa, size))
			return &plan->taken[i];
	}
	return NULL;
}

bool memory_plan_take(struct memory_plan *plan, uint64_t gpa, uint64_t size)
{
	if (size == 0 || plan->taken_count == MEMORY_PLAN_TAKEN_MAX || !is_ram(plan, gpa, size) ||
	    obstacle(plan, gpa, size))
		return false;
	plan->taken[plan->taken_count++] = (struct socle_range){ gpa, size };
	return true;
}

uint64_t memory_plan_lowest(struct memory_plan *plan, uint64_t size, uint64_t alignment,
			    uint64_t min)
{
	uint64_t at = ROUND_UP(min > MEMORY_HIGH_START ? min : MEMORY_HIGH_START, alignment);

	size = ROUND_UP(size, ABI_PAGE_SIZE);
	while (is_ram(plan, at, size)) {
		const struct socle_range *taken = obstacle(plan, at, size);

		if (!taken)
			return memory_plan_take(plan, at, size) ? at : 0;
		at = ROUND_UP(taken->gpa + taken->size, alignment);
	}
	return 0;
}

uint64_t memory_plan_highest(struct memory_plan *plan, uint64_t size, uint64_t limit)
{
	const struct socle_range *high = &plan->ram[1];
	uint64_t end = high->gpa + high->size;

	size = ROUND_UP(size, ABI_PAGE_SIZE);
	if (end > limit)
		end = limit / ABI_PAGE_SIZE * ABI_PAGE_SIZE;
	while (end >= size && end - size >= MEMORY_HIGH_START && is_ram(plan, end - size, size)) {
		const struct socle_range *taken = obstacle(plan, end - size, size);

		if (!taken)
			return memory_plan_take(plan, end - size, size) ? end - size : 0;
		end = taken->gpa;
	}
	return 0;
}
