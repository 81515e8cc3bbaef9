/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "monitor/base/direct.h"
#include "monitor/mem/map.h"
#include "monitor/mem/table.h"

#define USER_ROOT_ENTRIES (TABLE_ENTRIES / 2)
#define USER_TABLE_FLAGS (PTE_PRESENT | PTE_WRITE | PTE_USER)
/* What an entry keeps when its rights change. */
#define PTE_KEPT (PTE_OWNED | PTE_DIRTY)

static struct table_root tables_of(const struct address_space *space)
{
	return (struct table_root){ .root = space->root, .c_bit = map_c_bit() };
}

uint64_t space_cr3(const struct address_space *space)
{
	return space->root.raw | map_c_bit();
}

bool space_create(struct address_space *space, struct page_owner *owner)
{
	gpa_t root;

	if (!page_alloc(owner, &root))
		return false;

	/* The monitor's root entries never change after map_init(), so a copy stays true. */
	memcpy(table_at(root) + USER_ROOT_ENTRIES, map_kernel_root() + USER_ROOT_ENTRIES,
	       USER_ROOT_ENTRIES * sizeof(uint64_t));
	*space = (struct address_space){ .root = root, .owner = owner };
	return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as page tables are. */
static void free_table(struct address_space *space, gpa_t page, unsigned int level)
{
	uint64_t *table = table_at(page);
	unsigned int entries = level == TABLE_LEVELS - 1 ? USER_ROOT_ENTRIES : TABLE_ENTRIES;

	for (unsigned int i = 0; i < entries; i++) {
		gpa_t target = table_target(table[i], map_c_bit());

		if (!(table[i] & PTE_PRESENT))
			continue;
		if (level > 0)
			free_table(space, target, level - 1);
		else if (table[i] & PTE_OWNED)
			page_free(space->owner, target);
	}
	page_free(space->owner, page);
}

void space_destroy(struct address_space *space)
{
	free_table(space, space->root, TABLE_LEVELS - 1);
	*space = (struct address_space){ 0 };
}

static bool user_address(va_t va)
{
	return va.raw % ABI_PAGE_SIZE == 0 && va.raw >= SPACE_USER_MIN && va.raw < SPACE_USER_MAX;
}

static uint64_t user_flags(unsigned int rights)
{
	return PTE_PRESENT | (rights & MAP_READ ? PTE_USER : 0) |
	       (rights & MAP_WRITE ? PTE_WRITE : 0) | (rights & MAP_EXEC ? 0 : PTE_NO_EXEC);
}

/* W^X, and write or execute only what may be read: x86 has no other pages anyway. */
static bool rights_valid(unsigned int rights)
{
	if (rights & ~(MAP_READ | MAP_WRITE | MAP_EXEC))
		return false;
	if (rights && !(rights & MAP_READ))
		return false;
	return (rights & (MAP_WRITE | MAP_EXEC)) != (MAP_WRITE | MAP_EXEC);
}

/* A page that the direct map shows writable is never executable, and the other way round. */
static bool rights_fit(unsigned int rights, gpa_t page, uint64_t pages)
{
	uint64_t size = pages * ABI_PAGE_SIZE, alike;

	if (!(rights & (MAP_WRITE | MAP_EXEC)))
		return true;
	for (uint64_t at = 0; at < size; at += alike) {
		bool sealed = map_direct_sealed(gpa(page.raw + at), size - at, &alike);

		if (sealed != (bool)(rights & MAP_EXEC))
			return false;
	}
	return true;
}

static bool user_range(va_t va, uint64_t pages)
{
	return user_address(va) && pages && pages <= (SPACE_USER_MAX - va.raw) / ABI_PAGE_SIZE;
}

static bool are_free(const uint64_t *entries, uint64_t count)
{
	uint64_t i = 0;

	while (i < count && !(entries[i] & PTE_PRESENT))
		i++;
	return i == count;
}

/* As many as one table has of them; how many, or 0, and then none. */
static uint64_t put_next(struct address_space *space, va_t va, uint64_t entry, uint64_t pages)
{
	struct table_root tables = tables_of(space);
	uint64_t *at = table_make(&tables, va.raw, USER_TABLE_FLAGS, space->owner);
	uint64_t left = TABLE_ENTRIES - table_index(va.raw, 0);
	uint64_t count = pages < left ? pages : left;

	if (!at || !are_free(at, count))
		return 0;
	for (uint64_t i = 0; i < count; i++)
		at[i] = entry + i * ABI_PAGE_SIZE;
	space->pages += count;
	return count;
}

static bool put_pages(struct address_space *space, va_t va, gpa_t page, uint64_t pages,
		      unsigned int rights, uint64_t extra)
{
	uint64_t entry = page.raw | map_c_bit() | user_flags(rights) | extra;
	uint64_t done = 0, size = 1;

	if (!user_range(va, pages) || !gpa_aligned(page, ABI_PAGE_SIZE) || !rights_valid(rights) ||
	    !rights_fit(rights, page, pages))
		return false;
	for (; done < pages && size; done += size)
		size = put_next(space, (va_t){ va.raw + done * ABI_PAGE_SIZE },
				entry + done * ABI_PAGE_SIZE, pages - done);
	return size;
}

bool space_map(struct address_space *space, va_t va, gpa_t page, uint64_t pages,
	       unsigned int rights)
{
	return put_pages(space, va, page, pages, rights, 0);
}

bool space_map_new(struct address_space *space, va_t va, unsigned int rights)
{
	gpa_t page;

	if (!page_alloc(space->owner, &page))
		return false;
	if (put_pages(space, va, page, 1, rights, PTE_OWNED))
		return true;
	page_free(space->owner, page);
	return false;
}

/* The level-0 entry of va if a page is mapped there, NULL otherwise. */
static uint64_t *mapped_entry(const struct address_space *space, va_t va)
{
	struct table_root tables = tables_of(space);
	unsigned int level;

	if (va.raw < SPACE_USER_MIN || va.raw >= SPACE_USER_MAX)
		return NULL;

	uint64_t *entry = table_find(&tables, va.raw, &level);

	return level == 0 && (*entry & PTE_PRESENT) ? entry : NULL;
}

void space_unmap(struct address_space *space, va_t va)
{
	uint64_t *entry = mapped_entry(space, va);

	if (!entry)
		return;

	uint64_t old = *entry;

	*entry = 0;
	space->pages--;
	space->generation++;
	if (old & PTE_OWNED)
		page_free(space->owner, table_target(old, map_c_bit()));
}

bool space_protect(struct address_space *space, va_t va, unsigned int rights)
{
	uint64_t *entry = mapped_entry(space, va);

	if (!entry || !user_address(va) || !rights_valid(rights))
		return false;

	gpa_t page = table_target(*entry, map_c_bit());

	if (!rights_fit(rights, page, 1))
		return false;
	*entry = page.raw | map_c_bit() | user_flags(rights) | (*entry & PTE_KEPT);
	space->generation++;
	return true;
}

/* A CPU that still had the entry in its TLB as dirty would not say so again. */
void space_mark(struct address_space *space, va_t va)
{
	uint64_t *entry = mapped_entry(space, va);

	if (!entry)
		return;
	*entry = (*entry & ~PTE_DIRTY) | PTE_MARKED;
	space->generation++;
}

static unsigned int rights_of(uint64_t entry)
{
	if (!(entry & PTE_USER))
		return 0;
	return MAP_READ | (entry & PTE_WRITE ? MAP_WRITE : 0) |
	       (entry & PTE_NO_EXEC ? 0 : MAP_EXEC);
}

bool space_lookup(const struct address_space *space, va_t va, gpa_t *page, unsigned int *rights)
{
	const uint64_t *entry = mapped_entry(space, va);

	if (!entry)
		return false;
	*page = table_target(*entry, map_c_bit());
	*rights = rights_of(*entry);
	return true;
}

static struct space_page page_of(uint64_t va, uint64_t entry)
{
	return (struct space_page){
		.va = { va },
		.page = table_target(entry, map_c_bit()),
		.rights = rights_of(entry),
		.owned = entry & PTE_OWNED,
	};
}

static bool is_unchanged(uint64_t entry)
{
	return (entry & (PTE_MARKED | PTE_DIRTY)) == PTE_MARKED;
}

static bool next_page(const struct address_space *space, va_t from, bool only_changed,
		      struct space_page *found)
{
	struct table_root tables = tables_of(space);
	uint64_t va = from.raw & ~(uint64_t)(ABI_PAGE_SIZE - 1);

	while (va < SPACE_USER_MAX) {
		unsigned int level;
		const uint64_t *entry = table_find(&tables, va, &level);
		uint64_t end = (va | (table_span(level + 1) - 1)) + 1;

		/* Through the rest of this table, or to the next one below it. */
		do {
			if (level == 0 && (*entry & PTE_PRESENT) &&
			    !(only_changed && is_unchanged(*entry))) {
				*found = page_of(va, *entry);
				return true;
			}
			va = (va | (table_span(level) - 1)) + 1;
			entry++;
		} while (va < end && (level == 0 || !(*entry & PTE_PRESENT)));
	}
	return false;
}

bool space_next(const struct address_space *space, va_t from, struct space_page *found)
{
	return next_page(space, from, false, found);
}

bool space_next_changed(const struct address_space *space, va_t from, struct space_page *found)
{
	return next_page(space, from, true, found);
}

/* The entry of the service's byte at va; NULL when the service has not all of rights there. */
static uint64_t *user_entry(const struct address_space *space, uint64_t va, unsigned int rights)
{
	uint64_t *entry = mapped_entry(space, (va_t){ va });

	return entry && (rights_of(*entry) & rights) == rights ? entry : NULL;
}

/* Where the direct map shows the byte at va. */
static uint8_t *byte_at(uint64_t entry, uint64_t va)
{
	return (uint8_t *)direct_ptr(table_target(entry, map_c_bit())) + va % ABI_PAGE_SIZE;
}

/* How many of size bytes at va are on one page. */
static size_t on_page(uint64_t va, size_t size)
{
	size_t left = ABI_PAGE_SIZE - va % ABI_PAGE_SIZE;

	return left < size ? left : size;
}

bool space_read(const struct address_space *space, void *to, va_t from, size_t size)
{
	for (size_t done = 0, step; done < size; done += step) {
		uint64_t at = from.raw + done;
		const uint64_t *entry = user_entry(space, at, MAP_READ);

		if (!entry)
			return false;
		step = on_page(at, size - done);
		memcpy((uint8_t *)to + done, byte_at(*entry, at), step);
	}
	return true;
}

bool space_write(const struct address_space *space, va_t to, const void *from, size_t size)
{
	for (size_t done = 0, step; done < size; done += step) {
		uint64_t at = to.raw + done;
		uint64_t *entry = user_entry(space, at, MAP_READ | MAP_WRITE);

		if (!entry)
			return false;
		*entry |= PTE_DIRTY; /* the CPU sees no write by this name */
		step = on_page(at, size - done);
		memcpy(byte_at(*entry, at), (const uint8_t *)from + done, step);
	}
	return true;
}

bool space_check(const struct address_space *space, va_t at, size_t size, unsigned int rights)
{
	for (size_t done = 0; done < size; done += on_page(at.raw + done, size - done)) {
		if (!user_entry(space, at.raw + done, rights))
			return false;
	}
	return true;
}
