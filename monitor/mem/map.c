/* SPDX-License-Identifier: MIT */
#include "monitor/mem/map.h"

#include "monitor/arch/arch.h"
#include "monitor/base/direct.h"
#include "monitor/lock/lock.h"
#include "monitor/mem/table.h"

#define KERNEL_FIRST (TABLE_ENTRIES / 2) /* root entries from here on are the monitor's */
#define KERNEL_TABLE_FLAGS (PTE_PRESENT | PTE_WRITE)

struct kernel_map {
	struct lock lock;
	struct table_root tables;
	struct page_owner *owner;
};

static struct kernel_map kernel = { .lock = { .rank = LOCK_RANK_MAP } };

static uint64_t leaf_flags(unsigned int rights)
{
	return PTE_PRESENT | (rights & MAP_WRITE ? PTE_WRITE : 0) |
	       (rights & MAP_EXEC ? 0 : PTE_NO_EXEC);
}

static bool rights_valid(unsigned int rights)
{
	return !(rights & ~(MAP_READ | MAP_WRITE | MAP_EXEC)) && rights & MAP_READ &&
	       (rights & (MAP_WRITE | MAP_EXEC)) != (MAP_WRITE | MAP_EXEC);
}

/* True when nothing below the table is writable and executable, or reachable from ring 3. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as page tables are. */
static bool table_sound(gpa_t page, unsigned int level, bool writable, bool executable)
{
	const uint64_t *table = table_at(page);

	for (unsigned int i = level == TABLE_LEVELS - 1 ? KERNEL_FIRST : 0; i < TABLE_ENTRIES;
	     i++) {
		uint64_t entry = table[i];
		bool w = writable && (entry & PTE_WRITE);
		bool x = executable && !(entry & PTE_NO_EXEC);

		if (!(entry & PTE_PRESENT))
			continue;
		if (entry & PTE_USER)
			return false;
		if (table_is_leaf(entry, level)) {
			if (w && x)
				return false;
			continue;
		}
		if (!table_sound(table_target(entry, kernel.tables.c_bit), level - 1, w, x))
			return false;
	}
	return true;
}

static bool is_sealed(uint64_t entry)
{
	return (entry & PTE_PRESENT) && !(entry & PTE_WRITE);
}

/*
 * Makes direct-mapped pages read-only, from at on: a large page if all of it is to be, or is so
 * already, else what is in the same table of small ones. Their bytes, or 0. The lock is held.
 */
static uint64_t seal_next(gpa_t at, uint64_t left)
{
	uint64_t va = SOCLE_VA_DIRECT + at.raw;
	unsigned int level;
	uint64_t *entry = table_find(&kernel.tables, va, &level);
	uint64_t span = table_span(level), rest = span - va % span;
	uint64_t done = 0;

	if (!(*entry & PTE_PRESENT))
		return 0;
	if (table_is_leaf(*entry, level) && is_sealed(*entry))
		return left < rest ? left : rest;
	if (level == 1 && gpa_aligned(at, ABI_PAGE_SIZE_2M) && left >= ABI_PAGE_SIZE_2M) {
		*entry &= ~PTE_WRITE;
		return ABI_PAGE_SIZE_2M;
	}
	entry = table_make(&kernel.tables, va, KERNEL_TABLE_FLAGS, kernel.owner);
	if (!entry)
		return 0;
	for (unsigned int i = table_index(va, 0); i < TABLE_ENTRIES && done < left; i++, entry++) {
		if (!(*entry & PTE_PRESENT))
			return 0;
		*entry &= ~PTE_WRITE;
		done += ABI_PAGE_SIZE;
	}
	return done;
}

static bool seal_range(struct socle_range range)
{
	uint64_t at = 0, size = 1;

	for (; at < range.size && size; at += size)
		size = seal_next(gpa(range.gpa + at), range.size - at);
	return size;
}

bool map_init(const struct map_config *config, struct page_owner *owner)
{
	uint64_t *root = table_at(config->root);
	bool done;

	lock_acquire(&kernel.lock);
	kernel.tables = (struct table_root){ .root = config->root, .c_bit = config->c_bit };
	kernel.owner = owner;
	for (unsigned int i = 0; i < KERNEL_FIRST; i++)
		root[i] = 0;
	done = table_sound(config->root, TABLE_LEVELS - 1, true, true) &&
	       seal_range(config->text) && seal_range(config->archive);
	arch_forget_all();
	lock_release(&kernel.lock);
	return done;
}

bool map_kernel_page(va_t va, gpa_t page, unsigned int rights)
{
	if (!rights_valid(rights) || rights & MAP_EXEC || table_index(va.raw, 3) < KERNEL_FIRST)
		return false;

	lock_acquire(&kernel.lock);

	uint64_t *entry = table_make(&kernel.tables, va.raw, KERNEL_TABLE_FLAGS, kernel.owner);
	bool done = entry && !(*entry & PTE_PRESENT);

	if (done)
		*entry = page.raw | kernel.tables.c_bit | leaf_flags(rights);
	lock_release(&kernel.lock);
	return done;
}

bool map_kernel_protect(va_t va, size_t pages, unsigned int rights)
{
	bool done = rights_valid(rights);

	lock_acquire(&kernel.lock);
	for (size_t i = 0; done && i < pages; i++) {
		uint64_t at = va.raw + i * ABI_PAGE_SIZE;
		unsigned int level;
		uint64_t *entry = table_find(&kernel.tables, at, &level);

		/* Only takes away: a right that the page does not have stays away. */
		done = level == 0 && (*entry & PTE_PRESENT);
		if (done) {
			uint64_t keep = ~(PTE_WRITE | PTE_NO_EXEC) | leaf_flags(rights);

			*entry = (*entry & keep) | (leaf_flags(rights) & PTE_NO_EXEC);
			arch_forget_page((va_t){ at });
		}
	}
	lock_release(&kernel.lock);
	return done;
}

bool map_direct_shared(gpa_t page, bool shared)
{
	uint64_t va = SOCLE_VA_DIRECT + page.raw;

	lock_acquire(&kernel.lock);

	uint64_t *entry = table_make(&kernel.tables, va, KERNEL_TABLE_FLAGS, kernel.owner);
	bool done = entry && (*entry & PTE_PRESENT);

	if (done) {
		uint64_t bare = *entry & ~kernel.tables.c_bit;

		*entry = shared ? bare : bare | kernel.tables.c_bit;
		arch_forget_page((va_t){ va });
	}
	lock_release(&kernel.lock);
	return done;
}

/* One page of 2 MiB, if there is nothing yet. */
static bool add_large(gpa_t at)
{
	uint64_t *entry = table_make_at(&kernel.tables, SOCLE_VA_DIRECT + at.raw, 1,
					KERNEL_TABLE_FLAGS, kernel.owner);

	if (!entry)
		return false;
	if (!(*entry & PTE_PRESENT))
		*entry = at.raw | kernel.tables.c_bit | PTE_LARGE |
			 leaf_flags(MAP_READ | MAP_WRITE);
	return true;
}

/* What is not there yet of as many small pages as the same table has. Their bytes, or 0. */
static uint64_t add_small(gpa_t at, uint64_t left)
{
	uint64_t va = SOCLE_VA_DIRECT + at.raw;
	uint64_t *entry = table_make(&kernel.tables, va, KERNEL_TABLE_FLAGS, kernel.owner);
	uint64_t done = 0;

	if (!entry)
		return 0;
	for (unsigned int i = table_index(va, 0); i < TABLE_ENTRIES && done < left; i++, entry++) {
		if (!(*entry & PTE_PRESENT))
			*entry = (at.raw + done) | kernel.tables.c_bit |
				 leaf_flags(MAP_READ | MAP_WRITE);
		done += ABI_PAGE_SIZE;
	}
	return done;
}

/* Adds what goes at once; its size, or 0. */
static uint64_t add_next(gpa_t at, uint64_t left)
{
	if (gpa_aligned(at, ABI_PAGE_SIZE_2M) && left >= ABI_PAGE_SIZE_2M && add_large(at))
		return ABI_PAGE_SIZE_2M;
	return add_small(at, left);
}

bool map_direct_add(struct socle_range range)
{
	uint64_t at = 0, size = 1;

	if (!gpa_aligned(gpa(range.gpa | range.size), ABI_PAGE_SIZE))
		return false;
	lock_acquire(&kernel.lock);
	for (; at < range.size && size; at += size)
		size = add_next(gpa(range.gpa + at), range.size - at);
	lock_release(&kernel.lock);
	return at >= range.size && size;
}

bool map_direct_sealed(gpa_t page, uint64_t size, uint64_t *alike)
{
	uint64_t va = SOCLE_VA_DIRECT + page.raw;
	unsigned int level;

	lock_acquire(&kernel.lock);

	const uint64_t *entry = table_find(&kernel.tables, va, &level);
	uint64_t span = table_span(level);
	bool sealed = is_sealed(*entry);

	*alike = span - va % span;
	for (unsigned int i = table_index(va, level) + 1; i < TABLE_ENTRIES && *alike < size; i++) {
		entry++;
		if (!table_is_leaf(*entry, level) || is_sealed(*entry) != sealed)
			break;
		*alike += span;
	}
	lock_release(&kernel.lock);
	return sealed;
}

uint64_t map_kernel_cr3(void)
{
	return kernel.tables.root.raw | kernel.tables.c_bit;
}

uint64_t map_c_bit(void)
{
	return kernel.tables.c_bit;
}

const uint64_t *map_kernel_root(void)
{
	return table_at(kernel.tables.root);
}
