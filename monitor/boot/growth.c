/* SPDX-License-Identifier: MIT */
#include "monitor/boot/growth.h"

#include "monitor/base/limits.h"
#include "monitor/mem/alloc.h"

#define GIB (1ull << 30)

_Static_assert(GROWTH_CPUS_MAX == MONITOR_CPUS_MAX, "all vCPUs that there can be");
_Static_assert(((GROWTH_GIB_MAX - GROWTH_FREE_GIB) * GROWTH_BYTES_PER_GIB +
		(GROWTH_CPUS_MAX - GROWTH_FREE_CPUS) * GROWTH_BYTES_PER_CPU) /
			       ABI_PAGE_SIZE ==
		       PAGE_ALLOC_MORE_MAX,
	       "the allocator counts all of it");

static bool same_start(const struct socle_range *a, const struct socle_range *b)
{
	return b->size && a->gpa == b->gpa;
}

/* A piece of ram[] that the guest can have, neither region nor firmware. */
static bool is_ram(const struct socle_params *p, const struct socle_range *piece)
{
	return !same_start(piece, &p->region) && !same_start(piece, &p->firmware);
}

static uint64_t above(uint64_t have, uint64_t enough, uint64_t most)
{
	return have <= enough ? 0 : (have < most ? have : most) - enough;
}

uint64_t growth_size(const struct socle_params *params)
{
	uint64_t ram = 0;

	for (uint32_t i = 0; i < params->ram_count; i++)
		ram += is_ram(params, &params->ram[i]) ? params->ram[i].size : 0;
	return above((ram + GIB - 1) / GIB, GROWTH_FREE_GIB, GROWTH_GIB_MAX) *
		       GROWTH_BYTES_PER_GIB +
	       above(params->cpu_count, GROWTH_FREE_CPUS, GROWTH_CPUS_MAX) * GROWTH_BYTES_PER_CPU;
}

static bool is_loaded(const struct socle_params *p, const struct socle_range *range)
{
	for (uint32_t i = 0; i < p->loaded_count; i++) {
		const struct socle_range *l = &p->loaded[i];

		if (l->gpa < range->gpa + range->size && range->gpa < l->gpa + l->size)
			return true;
	}
	return false;
}

const char *growth_cut(struct socle_params *params, uint64_t size, struct socle_range *taken)
{
	for (uint32_t i = params->ram_count; i-- > 0;) {
		struct socle_range *piece = &params->ram[i];

		if (!is_ram(params, piece) || piece->size <= size)
			continue;
		*taken = (struct socle_range){ piece->gpa + piece->size - size, size };
		if (is_loaded(params, taken))
			continue;
		piece->size -= size;
		return NULL;
	}
	return "no piece of the host's RAM has as much as Socle takes";
}
