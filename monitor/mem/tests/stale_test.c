/* SPDX-License-Identifier: MIT */
/*
 * No translation that the CPU still remembers gives more than the tables do: the monitor's page
 * tables under the worst TLB that the manual permits (tlb_model.h). What is flushed by whom is the
 * contract in mem/map.h.
 */
#include "monitor/base/direct.h"
#include "monitor/mem/tests/fake_tables.h"
#include "monitor/mem/tests/tlb_model.h"

#define DIRECT 0xffff800000000000ull
#define IMAGE 0xffffffff80000000ull
#define PAGE_VA 0x400000ull
#define OTHER_VA 0x401000ull
#define USER_READ TLB_USER
#define USER_WRITE (TLB_USER | TLB_WRITE)
#define USER_EXECUTE (TLB_USER | TLB_EXECUTE)

static struct page_owner tables_owner, space_owner, next_owner;
static struct address_space space;

/* The CPU as trap/user.h has it: it loads CR3 for another space or another generation. */
static struct {
	uint64_t cr3;
	uint32_t generation;
} loaded;

static void enter(const struct address_space *to)
{
	if (loaded.cr3 == space_cr3(to) && loaded.generation == to->generation)
		return;
	loaded.cr3 = space_cr3(to);
	loaded.generation = to->generation;
	tlb_model_load_cr3(loaded.cr3);
}

static void leave(void)
{
	loaded.cr3 = map_kernel_cr3();
	tlb_model_load_cr3(loaded.cr3);
}

static int start(void **state)
{
	static bool done;

	(void)state;
	fake_tables_build();
	if (!done && (!page_alloc_init(gpa(POOL), POOL_PAGES) ||
		      !page_owner_init(&tables_owner, "tables", 24, false) ||
		      !page_owner_init(&space_owner, "space", 24, false) ||
		      !page_owner_init(&next_owner, "next", 8, false)))
		return -1;
	done = true;
	tlb_model_reset(ROOT | C_BIT, C_BIT);
	return 0;
}

static int start_space(void **state)
{
	if (start(state) || !map_init(&fake_tables_config, &tables_owner) ||
	    !space_create(&space, &space_owner))
		return -1;
	leave();
	return 0;
}

static int end_space(void **state)
{
	(void)state;
	leave();
	space_destroy(&space);
	return space_owner.used || next_owner.used;
}

static uint64_t reached(uint64_t va, unsigned int wants)
{
	uint64_t physical = 0;

	assert_true(tlb_model_access(va, wants, &physical));
	return physical;
}

static bool faults(uint64_t va, unsigned int wants)
{
	uint64_t physical;

	return !tlb_model_access(va, wants, &physical);
}

/* The model itself: an entry that nothing flushed is used, whatever the table says by now. */
static void the_model_forgets_nothing_by_itself(void **state)
{
	(void)state;
	assert_int_equal(reached(IMAGE + 0x1008, TLB_WRITE), (DATA + 8) | C_BIT);
	*fake_entry(IMAGE_PT, 1) = 0;
	assert_int_equal(reached(IMAGE + 0x1008, TLB_WRITE), (DATA + 8) | C_BIT);
	tlb_model_load_cr3(ROOT | C_BIT);
	assert_true(faults(IMAGE + 0x1008, 0));

	/* A global entry outlives MOV CR3; a right that is missing is looked up again. */
	*fake_entry(IMAGE_PT, 1) = DATA | C_BIT | P | G | NX;
	assert_true(faults(IMAGE + 0x1000, TLB_WRITE));
	assert_true(faults(IMAGE + 0x1000, TLB_EXECUTE));
	*fake_entry(IMAGE_PT, 1) |= W;
	assert_int_equal(reached(IMAGE + 0x1000, TLB_WRITE), DATA | C_BIT);
	assert_int_equal(*fake_entry(IMAGE_PT, 1) & D, D);
	*fake_entry(IMAGE_PT, 1) = 0;
	tlb_model_load_cr3(ROOT | C_BIT);
	assert_int_equal(reached(IMAGE + 0x1000, TLB_WRITE), DATA | C_BIT);
	assert_true(faults(IMAGE + 0x1000, TLB_USER));
	tlb_model_reset(ROOT | C_BIT, C_BIT);

	/* A table that is gone is still walked. */
	*fake_entry(IMAGE_PT, 1) = DATA | C_BIT | P;
	(void)reached(IMAGE, 0);
	*fake_entry(IMAGE_PDPT, 510) = 0;
	assert_int_equal(reached(IMAGE + 0x1000, 0), DATA | C_BIT);
}

static void taking_over_the_tables_leaves_nothing_of_the_stub(void **state)
{
	(void)state;
	/* All that the stub could have touched, by both names, as large pages. */
	(void)reached(DATA, TLB_WRITE);
	(void)reached(DIRECT + TEXT, TLB_WRITE);
	(void)reached(DIRECT + ARCHIVE, TLB_WRITE);
	assert_true(map_init(&fake_tables_config, &tables_owner));
	assert_true(faults(DATA, 0));
	assert_true(faults(DIRECT + TEXT, TLB_WRITE));
	assert_true(faults(DIRECT + ARCHIVE, TLB_WRITE));
	assert_true(faults(DIRECT + ARCHIVE + 0x1000, TLB_WRITE));
	assert_int_equal(reached(DIRECT + TEXT, 0), TEXT | C_BIT);
	assert_int_equal(reached(DIRECT + DATA, TLB_WRITE), DATA | C_BIT);
	assert_true(faults(DIRECT + DATA, TLB_EXECUTE));
}

static void a_sealed_page_of_the_monitor_is_not_written(void **state)
{
	(void)state;
	assert_true(map_init(&fake_tables_config, &tables_owner));
	*fake_entry(IMAGE_PT, 2) = (DATA + 0x9000) | C_BIT | P | W | NX;
	(void)reached(IMAGE + 0x1000, TLB_WRITE);
	(void)reached(IMAGE + 0x2000, TLB_WRITE);
	assert_true(map_kernel_protect((va_t){ IMAGE + 0x1000 }, 2, MAP_READ));
	assert_true(faults(IMAGE + 0x1000, TLB_WRITE));
	assert_true(faults(IMAGE + 0x2000, TLB_WRITE));
	assert_int_equal(reached(IMAGE + 0x1000, 0), DATA | C_BIT);
	assert_int_equal(reached(IMAGE, TLB_EXECUTE), TEXT | C_BIT);
	assert_true(map_kernel_protect((va_t){ IMAGE }, 1, MAP_READ));
	assert_true(faults(IMAGE, TLB_EXECUTE));
}

static void a_shared_page_is_used_by_its_new_name(void **state)
{
	uint64_t page = FAKE_BASE + 0x12000;

	(void)state;
	assert_true(map_init(&fake_tables_config, &tables_owner));
	/* Known as a part of whatever maps it, and its neighbour with it. */
	assert_int_equal(reached(DIRECT + page, TLB_WRITE), page | C_BIT);
	assert_int_equal(reached(DIRECT + page + 0x1000, TLB_WRITE), (page + 0x1000) | C_BIT);
	assert_true(map_direct_shared(gpa(page), true));
	assert_int_equal(reached(DIRECT + page, TLB_WRITE), page);
	assert_int_equal(reached(DIRECT + page + 0x1000, TLB_WRITE), (page + 0x1000) | C_BIT);
	assert_true(map_direct_shared(gpa(page), false));
	assert_int_equal(reached(DIRECT + page, TLB_WRITE), page | C_BIT);
}

/* The large page itself, before anything split it, is what the CPU remembers. */
static void a_large_page_is_forgotten_with_its_part(void **state)
{
	struct map_config plain = fake_tables_config;
	uint64_t page = FAKE_BASE + 0x12000;

	(void)state;
	plain.text.size = 0;
	plain.archive.size = 0;
	assert_true(map_init(&plain, &tables_owner));
	assert_int_equal(reached(DIRECT + page + 0x1000, TLB_WRITE), (page + 0x1000) | C_BIT);
	assert_true(map_direct_shared(gpa(page), true));
	assert_int_equal(reached(DIRECT + page, TLB_WRITE), page);
}

static void an_unmapped_page_is_out_of_reach(void **state)
{
	gpa_t page;

	(void)state;
	assert_true(space_map_new(&space, (va_t){ PAGE_VA }, MAP_READ | MAP_WRITE));
	enter(&space);
	(void)reached(PAGE_VA, USER_WRITE);

	space_unmap(&space, (va_t){ PAGE_VA });
	assert_true(page_alloc(&next_owner, &page)); /* somebody else has it now, perhaps */
	enter(&space);
	assert_true(faults(PAGE_VA, USER_READ));
	page_free(&next_owner, page);
}

static void an_address_shows_its_new_page_only(void **state)
{
	gpa_t new;
	unsigned int rights;
	uint64_t old;

	(void)state;
	assert_true(space_map_new(&space, (va_t){ PAGE_VA }, MAP_READ | MAP_WRITE));
	enter(&space);
	old = reached(PAGE_VA, USER_WRITE);

	space_unmap(&space, (va_t){ PAGE_VA });
	assert_true(space_map(&space, (va_t){ PAGE_VA }, gpa(ARCHIVE), 1, MAP_READ | MAP_EXEC));
	enter(&space);
	assert_int_equal(reached(PAGE_VA, USER_EXECUTE), ARCHIVE | C_BIT);
	assert_int_not_equal(reached(PAGE_VA, USER_READ), old);
	assert_true(faults(PAGE_VA, USER_WRITE));

	space_unmap(&space, (va_t){ PAGE_VA });
	assert_true(space_map_new(&space, (va_t){ PAGE_VA }, MAP_READ | MAP_WRITE));
	enter(&space);
	assert_true(space_lookup(&space, (va_t){ PAGE_VA }, &new, &rights));
	assert_int_equal(reached(PAGE_VA, USER_WRITE), new.raw | C_BIT);
	assert_true(faults(PAGE_VA, USER_EXECUTE));
}

static void rights_that_go_are_gone(void **state)
{
	(void)state;
	assert_true(space_map_new(&space, (va_t){ PAGE_VA }, MAP_READ | MAP_WRITE));
	assert_true(space_map(&space, (va_t){ OTHER_VA }, gpa(ARCHIVE), 1, MAP_READ | MAP_EXEC));
	enter(&space);
	(void)reached(PAGE_VA, USER_WRITE);
	(void)reached(OTHER_VA, USER_EXECUTE);

	assert_true(space_protect(&space, (va_t){ PAGE_VA }, MAP_READ));
	enter(&space);
	assert_true(faults(PAGE_VA, USER_WRITE));
	(void)reached(PAGE_VA, USER_READ);
	assert_true(space_protect(&space, (va_t){ OTHER_VA }, MAP_READ));
	enter(&space);
	assert_true(faults(OTHER_VA, USER_EXECUTE));
	assert_true(space_protect(&space, (va_t){ PAGE_VA }, 0));
	enter(&space);
	assert_true(faults(PAGE_VA, USER_READ));
}

/* The first write after a mark is seen, though the CPU has the page as written already. */
static void a_marked_page_tells_its_next_write(void **state)
{
	struct space_page changed;

	(void)state;
	assert_true(space_map_new(&space, (va_t){ PAGE_VA }, MAP_READ | MAP_WRITE));
	enter(&space);
	(void)reached(PAGE_VA, USER_WRITE);
	space_mark(&space, (va_t){ PAGE_VA });
	assert_false(space_next_changed(&space, (va_t){ 0 }, &changed));
	enter(&space);
	(void)reached(PAGE_VA, USER_READ);
	assert_false(space_next_changed(&space, (va_t){ 0 }, &changed));
	(void)reached(PAGE_VA, USER_WRITE);
	assert_true(space_next_changed(&space, (va_t){ 0 }, &changed));
	assert_int_equal(changed.va.raw, PAGE_VA);
}

static void one_space_shows_nothing_of_another(void **state)
{
	struct address_space other;
	uint64_t mine;

	(void)state;
	assert_true(space_create(&other, &space_owner));
	assert_true(space_map_new(&space, (va_t){ PAGE_VA }, MAP_READ | MAP_WRITE));
	assert_true(space_map_new(&space, (va_t){ OTHER_VA }, MAP_READ | MAP_WRITE));
	assert_true(space_map_new(&other, (va_t){ PAGE_VA }, MAP_READ | MAP_WRITE));
	enter(&space);
	mine = reached(PAGE_VA, USER_WRITE);
	(void)reached(OTHER_VA, USER_WRITE);
	enter(&other);
	assert_int_not_equal(reached(PAGE_VA, USER_WRITE), mine);
	assert_true(faults(OTHER_VA, USER_READ));
	enter(&space);
	assert_int_equal(reached(PAGE_VA, USER_WRITE), mine);
	leave();
	assert_true(faults(PAGE_VA, USER_READ));
	space_destroy(&other);
}

/* A new space may get the very root of an old one, and counts its changes from the same number. */
static void a_new_space_shows_nothing_of_a_destroyed_one(void **state)
{
	uint64_t root = space.root.raw;

	(void)state;
	assert_true(space_map_new(&space, (va_t){ PAGE_VA }, MAP_READ | MAP_WRITE));
	enter(&space);
	(void)reached(PAGE_VA, USER_WRITE);
	leave();
	space_destroy(&space);
	/* The allocator goes round, so that root comes again. */
	for (unsigned int i = 0; i < 2 * POOL_PAGES; i++) {
		assert_true(space_create(&space, &space_owner));
		if (space.root.raw == root)
			break;
		space_destroy(&space);
	}
	assert_int_equal(space.root.raw, root);
	enter(&space);
	assert_true(faults(PAGE_VA, USER_READ));
}

static void ring_3_reaches_nothing_of_the_monitor(void **state)
{
	(void)state;
	enter(&space);
	assert_int_equal(reached(IMAGE, 0), TEXT | C_BIT);
	(void)reached(DIRECT + DATA, TLB_WRITE);
	assert_true(faults(IMAGE, USER_READ));
	assert_true(faults(DIRECT + DATA, USER_READ));
}

int main(void)
{
	const struct CMUnitTest of_the_monitor[] = {
		cmocka_unit_test_setup(the_model_forgets_nothing_by_itself, start),
		cmocka_unit_test_setup(taking_over_the_tables_leaves_nothing_of_the_stub, start),
		cmocka_unit_test_setup(a_sealed_page_of_the_monitor_is_not_written, start),
		cmocka_unit_test_setup(a_shared_page_is_used_by_its_new_name, start),
		cmocka_unit_test_setup(a_large_page_is_forgotten_with_its_part, start),
	};
	const struct CMUnitTest of_spaces[] = {
		cmocka_unit_test_setup_teardown(an_unmapped_page_is_out_of_reach, start_space,
						end_space),
		cmocka_unit_test_setup_teardown(an_address_shows_its_new_page_only, start_space,
						end_space),
		cmocka_unit_test_setup_teardown(rights_that_go_are_gone, start_space, end_space),
		cmocka_unit_test_setup_teardown(a_marked_page_tells_its_next_write, start_space,
						end_space),
		cmocka_unit_test_setup_teardown(one_space_shows_nothing_of_another, start_space,
						end_space),
		cmocka_unit_test_setup_teardown(a_new_space_shows_nothing_of_a_destroyed_one,
						start_space, end_space),
		cmocka_unit_test_setup_teardown(ring_3_reaches_nothing_of_the_monitor, start_space,
						end_space),
	};

	return cmocka_run_group_tests(of_the_monitor, NULL, NULL) +
	       cmocka_run_group_tests(of_spaces, NULL, NULL);
}
