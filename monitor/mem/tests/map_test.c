/* SPDX-License-Identifier: MIT */
/* The monitor's page tables and address spaces, over tables in an array. */
#include <string.h>

#include "monitor/base/direct.h"
#include "monitor/mem/map.h"
#include "monitor/mem/table.h"
#include "monitor/mem/tests/fake_memory.h"
#include "monitor/mem/tests/fake_tables.h"

static struct page_owner tables_owner, space_owner;

static int start(void **state)
{
	static bool done;

	(void)state;
	fake_tables_build();
	if (!done) {
		assert_true(page_alloc_init(gpa(POOL), POOL_PAGES));
		assert_true(page_owner_init(&tables_owner, "tables", 32, false));
		assert_true(page_owner_init(&space_owner, "space", 24, false));
	}
	done = true;
	return 0;
}

static void init(void)
{
	assert_true(map_init(&fake_tables_config, &tables_owner));
}

static void the_low_half_is_dropped(void **state)
{
	(void)state;
	init();
	for (unsigned int i = 0; i < 256; i++)
		assert_int_equal(*fake_entry(ROOT, i), 0);
	assert_true(*fake_entry(ROOT, 256) & P);
}

static void writable_and_executable_is_refused(void **state)
{
	(void)state;
	*fake_entry(IMAGE_PT, 0) |= W;
	assert_false(map_init(&fake_tables_config, &tables_owner));
	fake_tables_build();
	*fake_entry(DIRECT_PD, FAKE_BASE >> 21) &= ~NX;
	assert_false(map_init(&fake_tables_config, &tables_owner));
	fake_tables_build();
	*fake_entry(IMAGE_PD,
		    0) &= ~W; /* no writing through this table: then W below it means nothing */
	*fake_entry(IMAGE_PT, 0) |= W;
	assert_true(map_init(&fake_tables_config, &tables_owner));
}

static void tables_for_ring_3_are_refused(void **state)
{
	(void)state;
	*fake_entry(IMAGE_PT, 1) |= U;
	assert_false(map_init(&fake_tables_config, &tables_owner));
}

static bool is_sealed(gpa_t page)
{
	uint64_t alike;

	return map_direct_sealed(page, ABI_PAGE_SIZE, &alike);
}

static void text_and_archive_are_sealed_and_nothing_else(void **state)
{
	(void)state;
	init();
	assert_true(is_sealed(gpa(TEXT)));
	assert_true(is_sealed(gpa(ARCHIVE)));
	assert_true(is_sealed(gpa(ARCHIVE + 0x1000)));
	assert_false(is_sealed(gpa(DATA)));
	assert_false(is_sealed(gpa(ARCHIVE + 0x2000)));
	assert_false(is_sealed(gpa(FAKE_BASE + 0x100000)));
}

/* The last small page of one table, and a large page whole: that one is not split. */
static void what_is_sealed_whole_stays_large(void **state)
{
	struct map_config config = fake_tables_config;
	uint64_t *large = fake_entry(DIRECT_PD, (FAKE_BASE >> 21) + 1);
	uint64_t next = FAKE_BASE + 0x200000, alike;

	(void)state;
	*large = next | C_BIT | P | W | PS | NX;
	config.archive = (struct socle_range){ next - 0x1000, 0x201000 };
	assert_true(map_init(&config, &tables_owner));
	assert_int_equal(*large, next | C_BIT | P | PS | NX);
	assert_true(map_direct_sealed(gpa(next - 0x1000), 0x2000, &alike));
	assert_int_equal(alike, 0x1000);
	assert_true(map_direct_sealed(gpa(next + 0x3000), 0x1000, &alike));
	assert_int_equal(alike, 0x200000 - 0x3000);
	assert_false(is_sealed(gpa(next - 0x2000)));
}

/* Where all of it is sealed already, as the image may come, a part of it does not split it. */
static void what_is_sealed_already_stays_large(void **state)
{
	struct map_config config = fake_tables_config;
	uint64_t *large = fake_entry(DIRECT_PD, (FAKE_BASE >> 21) + 1);
	uint64_t next = FAKE_BASE + 0x200000;

	(void)state;
	*large = next | C_BIT | P | PS | NX;
	config.archive = (struct socle_range){ next + 0x3000, 0x100000 };
	assert_true(map_init(&config, &tables_owner));
	assert_int_equal(*large, next | C_BIT | P | PS | NX);
	config.archive.size = 0x200000; /* what follows is not mapped */
	assert_false(map_init(&config, &tables_owner));
}

/* But not for what is only its half, also where that ends in a page that is none of ours. */
static void what_is_sealed_in_part_is_split(void **state)
{
	struct map_config config = fake_tables_config;
	uint64_t *large = fake_entry(DIRECT_PD, (FAKE_BASE >> 21) + 1);
	uint64_t next = FAKE_BASE + 0x200000, alike;

	(void)state;
	*large = next | C_BIT | P | W | PS | NX;
	config.archive = (struct socle_range){ next, 0x100010 };
	assert_true(map_init(&config, &tables_owner));
	assert_int_equal(*large & (PS | W | P), P | W);
	assert_true(map_direct_sealed(gpa(next), 0x3000, &alike));
	assert_int_equal(alike, 0x3000);
	assert_true(map_direct_sealed(gpa(next), UINT64_MAX, &alike));
	assert_int_equal(alike, 0x101000);
	assert_false(map_direct_sealed(gpa(next + 0x101000), UINT64_MAX, &alike));
	assert_int_equal(alike, 0x200000 - 0x101000);
	config.archive.size = 0x201000; /* what follows is not mapped */
	assert_false(map_init(&config, &tables_owner));
}

/* The level-0 entry that the direct map has for a page of the array, once it is split. */
static uint64_t direct_entry(uint64_t page)
{
	uint64_t pd = *fake_entry(DIRECT_PD, FAKE_BASE >> 21);

	assert_int_equal(pd & (PS | P | C_BIT), P | C_BIT);
	return *fake_entry(pd & 0x00007ffffffff000ull, (page - FAKE_BASE) >> 12);
}

static void a_split_page_maps_as_before(void **state)
{
	(void)state;
	init();
	assert_int_equal(direct_entry(DATA), DATA | C_BIT | P | W | NX);
	assert_int_equal(direct_entry(TEXT), TEXT | C_BIT | P | NX);
}

static void a_shared_page_has_no_c_bit(void **state)
{
	(void)state;
	init();
	assert_true(map_direct_shared(gpa(DATA), true));
	assert_int_equal(direct_entry(DATA), DATA | P | W | NX);
	assert_true(map_direct_shared(gpa(DATA), false));
	assert_int_equal(direct_entry(DATA), DATA | C_BIT | P | W | NX);
	assert_false(map_direct_shared(gpa(0x40000000), true));
}

/* The leaf that the direct map has for an address, of whatever level. */
static uint64_t leaf(uint64_t at)
{
	uint64_t entry = ROOT;

	for (int shift = 39; shift >= 12; shift -= 9) {
		uint64_t index = (0xffff800000000000 + at) >> shift & 511;

		entry = *fake_entry(entry & 0x00007ffffffff000ull, (unsigned int)index);
		if (!(entry & P) || (entry & PS))
			break;
	}
	return entry;
}

/* Its rights and sizes are those that the image's own tables have; what is there stays. */
static void added_ram_is_in_large_pages(void **state)
{
	(void)state;
	init();
	assert_true(map_direct_add((struct socle_range){ 0x401ff000, 0x403000 }));
	assert_int_equal(leaf(0x401fe000), 0);
	assert_int_equal(leaf(0x401ff000), 0x401ff000 | C_BIT | P | W | NX);
	assert_int_equal(leaf(0x40200000), 0x40200000 | C_BIT | P | W | PS | NX);
	assert_int_equal(leaf(0x40400000), 0x40400000 | C_BIT | P | W | PS | NX);
	assert_int_equal(leaf(0x40600000), 0x40600000 | C_BIT | P | W | NX);
	assert_int_equal(leaf(0x40602000), 0);
	/* Around a piece in small pages, and pages that are read-only. */
	assert_true(map_direct_add((struct socle_range){ 0x40000000, 0x200000 }));
	assert_int_equal(leaf(0x40000000), 0x40000000 | C_BIT | P | W | NX);
	assert_int_equal(leaf(0x401ff000), 0x401ff000 | C_BIT | P | W | NX);
	assert_true(map_direct_add((struct socle_range){ TEXT, 0x1000 }));
	assert_int_equal(leaf(TEXT), TEXT | C_BIT | P | NX);
	assert_true(map_direct_add((struct socle_range){ 0x60000000, 0 }));
	assert_false(map_direct_add((struct socle_range){ 0x60000800, 0x1000 }));
	assert_false(map_direct_add((struct socle_range){ 0x60000000, 0x1800 }));
	assert_int_equal(leaf(0x60000000), 0);
}

static void ram_without_memory_for_tables_is_refused(void **state)
{
	uint32_t limit = tables_owner.limit;

	(void)state;
	init();
	tables_owner.limit = tables_owner.used;
	assert_false(map_direct_add((struct socle_range){ 0x180000000, 0x200000 }));
	assert_false(map_direct_add((struct socle_range){ 0x180000000, 0x1000 }));
	tables_owner.limit = limit;
}

static void kernel_pages_only_lose_rights(void **state)
{
	va_t data = { SOCLE_VA_IMAGE + 0x1000 }, text = { SOCLE_VA_IMAGE };

	(void)state;
	init();
	assert_true(map_kernel_protect(data, 1, MAP_READ));
	assert_int_equal(*fake_entry(IMAGE_PT, 1), DATA | C_BIT | P | NX);
	assert_true(map_kernel_protect(data, 1, MAP_READ | MAP_WRITE));
	assert_int_equal(*fake_entry(IMAGE_PT, 1), DATA | C_BIT | P | NX);
	assert_true(map_kernel_protect(text, 1, MAP_READ | MAP_EXEC));
	assert_int_equal(*fake_entry(IMAGE_PT, 0), TEXT | C_BIT | P);
	assert_false(map_kernel_protect((va_t){ SOCLE_VA_IMAGE + 0x2000 }, 1, MAP_READ));
	assert_false(map_kernel_protect(data, 1, MAP_READ | MAP_WRITE | MAP_EXEC));
}

static void kernel_pages_are_mapped_once(void **state)
{
	va_t va = { 0xffffffffc0000000ull };

	(void)state;
	init();
	assert_true(map_kernel_page(va, gpa(DATA), MAP_READ | MAP_WRITE));
	assert_false(map_kernel_page(va, gpa(DATA), MAP_READ));
	assert_false(map_kernel_page((va_t){ 0x400000 }, gpa(DATA), MAP_READ));
	assert_false(map_kernel_page((va_t){ va.raw + 0x1000 }, gpa(DATA), MAP_READ | MAP_EXEC));
}

static void a_space_keeps_its_rules(void **state)
{
	struct address_space space;
	va_t va = { 0x400000 };
	gpa_t page;

	(void)state;
	init();
	assert_true(space_create(&space, &space_owner));
	assert_true(page_alloc(&tables_owner, &page));

	/* Executable: only what is sealed. Writable: only what is not. Never both. */
	assert_false(space_map(&space, va, page, 1, MAP_READ | MAP_EXEC));
	assert_false(space_map(&space, va, gpa(ARCHIVE), 1, MAP_READ | MAP_WRITE));
	assert_false(space_map(&space, va, gpa(ARCHIVE), 1, MAP_READ | MAP_WRITE | MAP_EXEC));
	assert_false(space_map(&space, va, gpa(ARCHIVE), 1, MAP_EXEC));
	assert_false(space_map_new(&space, va, MAP_READ | MAP_EXEC));
	assert_false(space_map(&space, va, gpa(ARCHIVE + 8), 1, MAP_READ));

	/* Only in ring 3's half. */
	assert_false(space_map(&space, (va_t){ 0 }, page, 1, MAP_READ));
	assert_false(space_map(&space, (va_t){ 0xf000 }, page, 1, MAP_READ));
	assert_false(space_map(&space, (va_t){ 0x800000000000ull }, page, 1, MAP_READ));
	assert_false(space_map(&space, (va_t){ SOCLE_VA_IMAGE }, page, 1, MAP_READ));
	assert_false(space_map(&space, (va_t){ 0x400010 }, page, 1, MAP_READ));

	assert_true(space_map(&space, va, gpa(ARCHIVE), 1, MAP_READ | MAP_EXEC));
	assert_false(space_map(&space, va, page, 1, MAP_READ));
	assert_false(space_protect(&space, va, MAP_READ | MAP_WRITE));
	assert_true(space_protect(&space, va, MAP_READ));
	/* Of pages that are there, and of the service; and rights that are some. */
	assert_false(space_protect(&space, (va_t){ va.raw + 0x1000 }, MAP_READ));
	assert_false(space_protect(&space, (va_t){ 0x600000000000ull }, MAP_READ));
	assert_false(space_protect(&space, (va_t){ SOCLE_VA_IMAGE }, MAP_READ));
	assert_false(space_protect(&space, va, MAP_WRITE));

	space_destroy(&space);
	page_free(&tables_owner, page);
	assert_int_equal(space_owner.used, 0);
}

/* Over the end of a table, and each page as if alone. */
static void pages_in_a_row_keep_the_rules_of_each(void **state)
{
	struct address_space space;
	unsigned int rights;
	va_t va = { 0x3ff000 };
	gpa_t page;

	(void)state;
	init();
	assert_true(space_create(&space, &space_owner));
	assert_false(space_map(&space, va, gpa(ARCHIVE), 0, MAP_READ));
	/* The page behind the archive is writable by another name, the one before it as well. */
	assert_false(space_map(&space, va, gpa(ARCHIVE), 3, MAP_READ | MAP_EXEC));
	assert_false(space_map(&space, va, gpa(DATA), 2, MAP_READ | MAP_EXEC));
	assert_false(space_map(&space, va, gpa(DATA), 2, MAP_READ | MAP_WRITE));
	assert_false(space_map(&space, (va_t){ 0x7ffffffff000 }, gpa(ARCHIVE), 2, MAP_READ));
	assert_false(space_map(&space, va, gpa(ARCHIVE), UINT64_MAX, MAP_READ));
	assert_int_equal(space.pages, 0);

	assert_true(space_map(&space, va, gpa(ARCHIVE), 2, MAP_READ | MAP_EXEC));
	assert_int_equal(space.pages, 2);
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(space_lookup(&space, (va_t){ va.raw + i * 0x1000 }, &page, &rights));
		assert_int_equal(page.raw, ARCHIVE + i * 0x1000);
		assert_int_equal(rights, MAP_READ | MAP_EXEC);
	}
	assert_false(space_lookup(&space, (va_t){ 0x401000 }, &page, &rights));
	/* One of two in the same table is mapped already: none of them is then. */
	assert_false(space_map(&space, (va_t){ 0x3fe000 }, gpa(ARCHIVE), 2, MAP_READ));
	assert_false(space_lookup(&space, (va_t){ 0x3fe000 }, &page, &rights));
	assert_int_equal(space.pages, 2);
	space_destroy(&space);
	assert_int_equal(space_owner.used, 0);
}

static void lookups_tell_page_and_rights(void **state)
{
	struct address_space space;
	unsigned int rights;
	gpa_t page;

	(void)state;
	init();
	assert_true(space_create(&space, &space_owner));
	assert_true(space_map(&space, (va_t){ 0x400000 }, gpa(ARCHIVE), 1, MAP_READ | MAP_EXEC));
	assert_true(space_map_new(&space, (va_t){ 0x401000 }, MAP_READ | MAP_WRITE));
	assert_true(space_map_new(&space, (va_t){ 0x402000 }, 0));

	assert_true(space_lookup(&space, (va_t){ 0x400123 }, &page, &rights));
	assert_int_equal(page.raw, ARCHIVE);
	assert_int_equal(rights, MAP_READ | MAP_EXEC);
	assert_true(space_lookup(&space, (va_t){ 0x401000 }, &page, &rights));
	assert_int_equal(rights, MAP_READ | MAP_WRITE);
	assert_true(space_lookup(&space, (va_t){ 0x402000 }, &page, &rights));
	assert_int_equal(rights, 0);
	assert_false(space_lookup(&space, (va_t){ 0x403000 }, &page, &rights));
	assert_false(space_lookup(&space, (va_t){ SOCLE_VA_IMAGE }, &page, &rights));

	uint32_t generation = space.generation;

	space_unmap(&space, (va_t){ 0x401000 });
	assert_int_not_equal(space.generation, generation);
	assert_false(space_lookup(&space, (va_t){ 0x401000 }, &page, &rights));
	space_destroy(&space);
	assert_int_equal(space_owner.used, 0);
}

static void copies_cross_pages_and_obey_rights(void **state)
{
	struct address_space space;
	uint8_t out[0x1800], in[0x1800];

	(void)state;
	init();
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7);
	assert_true(space_create(&space, &space_owner));
	assert_true(space_map_new(&space, (va_t){ 0x10000 }, MAP_READ | MAP_WRITE));
	assert_true(space_map_new(&space, (va_t){ 0x11000 }, MAP_READ | MAP_WRITE));
	assert_true(space_map_new(&space, (va_t){ 0x12000 }, MAP_READ));

	assert_true(space_write(&space, (va_t){ 0x10800 }, out, sizeof(out)));
	assert_true(space_read(&space, in, (va_t){ 0x10800 }, sizeof(in)));
	assert_memory_equal(in, out, sizeof(in));
	assert_true(space_check(&space, (va_t){ 0x10000 }, 0x3000, MAP_READ));
	assert_false(space_check(&space, (va_t){ 0x10000 }, 0x3000, MAP_READ | MAP_WRITE));
	assert_false(space_check(&space, (va_t){ 0x10000 }, 0x3001, MAP_READ));
	assert_false(space_write(&space, (va_t){ 0x11fff }, out, 2));
	assert_false(space_read(&space, in, (va_t){ 0x12fff }, 2));
	assert_false(space_read(&space, in, (va_t){ ~0ull }, 2));
	assert_false(space_read(&space, in, (va_t){ SOCLE_VA_IMAGE }, 1));

	assert_true(space_protect(&space, (va_t){ 0x10000 }, 0));
	assert_false(space_read(&space, in, (va_t){ 0x10000 }, 1));
	space_destroy(&space);
	assert_int_equal(space_owner.used, 0);
}

static bool unchanged(const struct address_space *space, uint64_t at)
{
	struct space_page page;

	assert_true(space_next(space, (va_t){ at }, &page));
	assert_int_equal(page.va.raw, at);
	return !space_next_changed(space, (va_t){ at }, &page) || page.va.raw != at;
}

/* As the CPU does when the service writes. */
static void write_as_cpu(const struct address_space *space, uint64_t at)
{
	struct table_root tables = { .root = space->root, .c_bit = C_BIT };
	unsigned int level;

	*table_find(&tables, at, &level) |= PTE_DIRTY;
}

static void marks_tell_what_changed(void **state)
{
	struct address_space space;
	uint32_t generation;
	uint8_t byte = 1;

	(void)state;
	init();
	assert_true(space_create(&space, &space_owner));
	for (uint64_t at = 0x10000; at < 0x14000; at += 0x1000)
		assert_true(space_map_new(&space, (va_t){ at }, MAP_READ | MAP_WRITE));
	assert_false(unchanged(&space, 0x10000));
	generation = space.generation;
	for (uint64_t at = 0x10000; at < 0x15000; at += 0x1000)
		space_mark(&space, (va_t){ at });
	assert_int_equal(space.generation, generation + 4); /* one is not mapped */
	for (uint64_t at = 0x10000; at < 0x14000; at += 0x1000)
		assert_true(unchanged(&space, at));

	/* Written by the service and by us; replaced; read; other rights. */
	write_as_cpu(&space, 0x10000);
	assert_true(space_write(&space, (va_t){ 0x11fff }, &byte, 1));
	space_unmap(&space, (va_t){ 0x12000 });
	assert_true(space_map_new(&space, (va_t){ 0x12000 }, MAP_READ | MAP_WRITE));
	assert_true(space_read(&space, &byte, (va_t){ 0x13000 }, 1));
	assert_false(unchanged(&space, 0x10000));
	assert_false(unchanged(&space, 0x11000));
	assert_false(unchanged(&space, 0x12000));
	assert_true(unchanged(&space, 0x13000));
	assert_true(space_protect(&space, (va_t){ 0x13000 }, MAP_READ));
	assert_false(unchanged(&space, 0x13000));
	assert_int_equal(space.pages, 4);
	/* A change is not forgotten with the rights. */
	assert_true(space_protect(&space, (va_t){ 0x10000 }, 0));
	assert_false(unchanged(&space, 0x10000));
	space_mark(&space, (va_t){ 0x10000 });
	assert_true(unchanged(&space, 0x10000));
	space_destroy(&space);
	assert_int_equal(space_owner.used, 0);
}

/* Neighbours within a table, the ends of tables of each level, and the ends of the space. */
static void all_pages_are_found_in_order(void **state)
{
	static const uint64_t pages[] = {
		0x10000,       0x11000,	       0x1ff000,       0x200000,
		0x3ffff000,    0x40000000,     0x7ffffff000,   0x8000000000,
		0x12345000000, 0x7fffffffd000, 0x7ffffffff000,
	};
	enum { COUNT = sizeof(pages) / sizeof(pages[0]) };
	struct address_space space;
	struct space_page page;
	va_t from = { 0 };

	(void)state;
	init();
	assert_true(space_create(&space, &space_owner));
	for (size_t i = COUNT; i-- > 0;)
		assert_true(space_map(&space, (va_t){ pages[i] }, gpa(ARCHIVE), 1, MAP_READ));
	assert_int_equal(space.pages, COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		assert_true(space_next(&space, from, &page));
		assert_int_equal(page.va.raw, pages[i]);
		from = (va_t){ pages[i] + 0x1000 };
		if (i % 3 != 0)
			space_mark(&space, page.va);
	}
	assert_false(space_next(&space, from, &page));
	from = (va_t){ 0 };
	for (size_t i = 0; i < COUNT; i += 3) {
		assert_true(space_next_changed(&space, from, &page));
		assert_int_equal(page.va.raw, pages[i]);
		from = (va_t){ pages[i] + 0x1000 };
	}
	assert_false(space_next_changed(&space, from, &page));
	space_destroy(&space);
	assert_int_equal(space_owner.used, 0);
}

static void a_space_without_memory_fails_and_leaks_nothing(void **state)
{
	struct address_space space;
	uint64_t at = 0x400000;

	(void)state;
	init();
	assert_true(space_create(&space, &space_owner));
	while (space_map_new(&space, (va_t){ at }, MAP_READ | MAP_WRITE))
		at += 0x200000; /* a table for each page */
	assert_in_range(space_owner.used, 23, 24);
	space_destroy(&space);
	assert_int_equal(space_owner.used, 0);
}

static void a_space_shares_the_monitors_half(void **state)
{
	struct address_space space;

	(void)state;
	init();
	assert_true(space_create(&space, &space_owner));
	assert_int_equal(space_cr3(&space), space.root.raw | C_BIT);
	assert_int_equal(*fake_entry(space.root.raw, 256), DIRECT_PDPT | C_BIT | P | W);
	assert_int_equal(*fake_entry(space.root.raw, 511), IMAGE_PDPT | C_BIT | P | W);
	assert_int_equal(*fake_entry(space.root.raw, 0), 0);
	space_destroy(&space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_low_half_is_dropped, start),
		cmocka_unit_test_setup(writable_and_executable_is_refused, start),
		cmocka_unit_test_setup(tables_for_ring_3_are_refused, start),
		cmocka_unit_test_setup(text_and_archive_are_sealed_and_nothing_else, start),
		cmocka_unit_test_setup(what_is_sealed_whole_stays_large, start),
		cmocka_unit_test_setup(what_is_sealed_already_stays_large, start),
		cmocka_unit_test_setup(what_is_sealed_in_part_is_split, start),
		cmocka_unit_test_setup(a_split_page_maps_as_before, start),
		cmocka_unit_test_setup(a_shared_page_has_no_c_bit, start),
		cmocka_unit_test_setup(added_ram_is_in_large_pages, start),
		cmocka_unit_test_setup(ram_without_memory_for_tables_is_refused, start),
		cmocka_unit_test_setup(kernel_pages_only_lose_rights, start),
		cmocka_unit_test_setup(kernel_pages_are_mapped_once, start),
		cmocka_unit_test_setup(a_space_keeps_its_rules, start),
		cmocka_unit_test_setup(pages_in_a_row_keep_the_rules_of_each, start),
		cmocka_unit_test_setup(lookups_tell_page_and_rights, start),
		cmocka_unit_test_setup(copies_cross_pages_and_obey_rights, start),
		cmocka_unit_test_setup(marks_tell_what_changed, start),
		cmocka_unit_test_setup(all_pages_are_found_in_order, start),
		cmocka_unit_test_setup(a_space_without_memory_fails_and_leaks_nothing, start),
		cmocka_unit_test_setup(a_space_shares_the_monitors_half, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
