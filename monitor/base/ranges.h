/* SPDX-License-Identifier: MIT */
/* Ranges of the parameter block. None of those given here wraps. */
#ifndef SOCLE_MONITOR_BASE_RANGES_H
#define SOCLE_MONITOR_BASE_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/params.h"
#include "monitor/base/addr.h"

/* True when both have a byte. */
static inline bool ranges_overlap(const struct socle_range *a, const struct socle_range *b)
{
	return a->gpa < b->gpa + b->size && b->gpa < a->gpa + a->size;
}

/* True when all of the range lies within one of count others. */
static inline bool range_within_any(const struct socle_range *range,
				    const struct socle_range *others, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (gpa_within(gpa(range->gpa), range->size, gpa(others[i].gpa), others[i].size))
			return true;
	}
	return false;
}

#endif
