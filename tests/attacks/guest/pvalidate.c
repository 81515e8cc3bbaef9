/* SPDX-License-Identifier: MIT */
/* SVSM_CORE_PVALIDATE: lists, entries, page states (58019, section 6.2). */
#include "tests/attacks/guest/attack.h"

static uint64_t call_at(uint64_t list)
{
	return svsm_call(CORE_PVALIDATE, list, 0, 0);
}

static void list_header(void)
{
	uint64_t page = page_new();
	struct pvalidate_list *list = (struct pvalidate_list *)page;
	static const struct {
		const char *what;
		uint16_t entries, next;
	} bad[] = {
		{ "no entry", 0, 0 },
		{ "next at the end", 1, 1 },
		{ "next beyond the end", 3, 4 },
		{ "next 0xffff", 1, 0xffff },
		{ "one entry more than the page has", 512, 0 },
		{ "0xffff entries", 0xffff, 0 },
		{ "0xffff entries, the last", 0xffff, 0xfffe },
	};

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		list->entries = bad[i].entries;
		list->next = bad[i].next;
		expect(bad[i].what, call_at(page), 0x80000005);
		expect("the header stays", list->next, bad[i].next);
	}
}

/* A list lies within one page. */
static void list_place(void)
{
	uint64_t page = page_new(), target = page_new();
	volatile uint16_t *header = (volatile uint16_t *)(page + 4080);

	header[0] = 1;
	header[1] = 0;
	*(volatile uint64_t *)(page + 4088) = target | ENTRY_VALIDATE | ENTRY_IGNORE_CF;
	expect("one entry at the page's end", call_at(page + 4080), 0);
	expect("it is done", header[1], 1);
	header[0] = 2;
	header[1] = 0;
	expect("two entries there", call_at(page + 4080), 0x80000005);
	header[4] = 1;
	header[5] = 0;
	expect("a header that is all of the page", call_at(page + 4088), 0x80000005);
}

static void entry_bits(void)
{
	uint64_t page = page_new();

	page_fill(page);
	expect("page size 2", svsm_pvalidate(page | 2 | ENTRY_VALIDATE), 0x80000005);
	expect("page size 3", svsm_pvalidate(page | 3 | ENTRY_VALIDATE), 0x80000005);
	for (unsigned int bit = 4; bit < 12; bit++) {
		expect("reserved bit, validate",
		       svsm_pvalidate(page | 1ull << bit | ENTRY_VALIDATE | ENTRY_IGNORE_CF),
		       0x80000005);
		expect("reserved bit, invalidate", svsm_pvalidate(page | 1ull << bit), 0x80000005);
	}
	expect("the list's cursor stays", svsm_list()->next, 0);
	expect("the page is what it was", page_filled(page), true);
}

static void entry_alignment(void)
{
	uint64_t large = page_new_2m();

	for (unsigned int bit = 12; bit < 21; bit++)
		expect("2 MiB at a page of 4 KiB",
		       svsm_pvalidate((large | 1ull << bit) | ENTRY_2M | ENTRY_VALIDATE),
		       0x80000005);
	page_fill(large);
	expect("2 MiB misaligned, invalidate", svsm_pvalidate((large | 0x1000) | ENTRY_2M),
	       0x80000005);
	expect("the page is what it was", page_filled(large), true);
}

static void entry_addresses(uint64_t flags)
{
	struct bad_address bad[BAD_ADDRESSES];

	bad_addresses(bad);
	for (unsigned int i = 0; i < BAD_ADDRESSES; i++)
		expect(bad[i].what, svsm_pvalidate(bad[i].gpa | flags), 0x80000003);
}

static void validate_bad(void)
{
	entry_addresses(ENTRY_VALIDATE);
}

static void validate_bad_again(void)
{
	entry_addresses(ENTRY_VALIDATE | ENTRY_IGNORE_CF);
}

static void invalidate_bad(void)
{
	entry_addresses(0);
	entry_addresses(ENTRY_IGNORE_CF);
}

/* Pages of 2 MiB that are Socle's, that hold some of it, or that are not there. */
static void large_bad(void)
{
	static const uint64_t flags[] = { ENTRY_2M, ENTRY_2M | ENTRY_VALIDATE,
					  ENTRY_2M | ENTRY_VALIDATE | ENTRY_IGNORE_CF };
	const uint64_t at[] = { places.svsm,
				places.svsm + places.svsm_size - 0x200000,
				places.ram_end,
				0, /* video memory is in it */
				0xfee00000,
				0x100000000,
				places.svsm | places.c_bit,
				0xffffffffffe00000 };

	for (unsigned int i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		for (unsigned int f = 0; f < 3; f++)
			expect("2 MiB that are not the guest's", svsm_pvalidate(at[i] | flags[f]),
			       0x80000003);
	}
}

static void twice(void)
{
	uint64_t page = page_new();

	page_fill(page);
	expect("validate a valid page", svsm_pvalidate(page | ENTRY_VALIDATE), 0x80001010);
	expect("its content stays", page_filled(page), true);
	expect("the same, ignored", svsm_pvalidate(page | ENTRY_VALIDATE | ENTRY_IGNORE_CF), 0);
	expect("the page is zero then", page_zero(page), true);
	expect("give it up", page_give_up(page), 0);
	expect("invalidate an invalid page", svsm_pvalidate(page), 0x80001010);
	expect("the same, ignored", svsm_pvalidate(page | ENTRY_IGNORE_CF), 0);
	expect("take it back", page_get_back(page), 0);
	expect("it is zero", page_zero(page), true);
	expect("and no other", svsm_pvalidate(page | ENTRY_VALIDATE), 0x80001010);
}

static void twice_2m(void)
{
	uint64_t page = page_new_2m();
	uint64_t last = page + 0x1ff000;

	page_fill(last);
	expect("validate a valid page", svsm_pvalidate(page | ENTRY_2M | ENTRY_VALIDATE),
	       0x80001010);
	expect("its content stays", page_filled(last), true);
	expect("invalidate", svsm_pvalidate(page | ENTRY_2M), 0);
	expect("twice", svsm_pvalidate(page | ENTRY_2M), 0x80001010);
	expect("shared, by the list", psc_list(page, PSC_SHARED, true), true);
	expect("private, by the list", psc_list(page, PSC_PRIVATE, true), true);
	expect("validate", svsm_pvalidate(page | ENTRY_2M | ENTRY_VALIDATE), 0);
	expect("its end is zero", page_zero(last), true);
}

/* One page of the 2 MiB in another state: the whole has none. */
static void large_mixed(void)
{
	uint64_t page = page_new_2m();
	uint64_t inner = page + 0x5000;

	page_fill(page);
	expect("invalidate one page", svsm_pvalidate(inner), 0);
	expect("validate the whole", svsm_pvalidate(page | ENTRY_2M | ENTRY_VALIDATE), 0x80001006);
	expect("validate the whole, ignored",
	       svsm_pvalidate(page | ENTRY_2M | ENTRY_VALIDATE | ENTRY_IGNORE_CF), 0x80001006);
	expect("invalidate the whole", svsm_pvalidate(page | ENTRY_2M), 0x80001006);
	expect("its beginning is what it was", page_filled(page), true);
	expect("validate the page", svsm_pvalidate(inner | ENTRY_VALIDATE), 0);
	expect("the page is zero", page_zero(inner), true);
}

/* An entry that fails leaves those before it done and those behind it undone, and says which. */
static void list_stops(void)
{
	uint64_t pages[4] = { page_new(), page_new(), page_new(), page_new() };
	struct pvalidate_list *list = svsm_list();

	page_fill(pages[2]);
	list->entries = 4;
	list->next = 0;
	list->entry[0] = pages[0];
	list->entry[1] = pages[1];
	list->entry[2] = places.svsm;
	list->entry[3] = pages[2];
	expect("result", svsm_pvalidate_list(), 0x80000003);
	expect("the cursor is at the bad entry", list->next, 2);
	expect("what is behind it is what it was", page_filled(pages[2]), true);
	list->entry[2] = pages[3];
	list->entries = 3;
	expect("going on", svsm_pvalidate_list(), 0);
	expect("the cursor is at the end", list->next, 3);
	list->entries = 3;
	list->next = 0;
	for (unsigned int i = 0; i < 3; i++)
		list->entry[i] |= ENTRY_VALIDATE;
	expect("all back", svsm_pvalidate_list(), 0);
}

static void full_list(void)
{
	uint64_t large = page_new_2m();
	struct pvalidate_list *list = svsm_list();

	for (unsigned int pass = 0; pass < 2; pass++) {
		list->entries = 511;
		list->next = 0;
		for (unsigned int i = 0; i < 511; i++)
			list->entry[i] = (large + i * 0x1000) | (pass ? ENTRY_VALIDATE : 0);
		expect("511 entries", svsm_pvalidate_list(), 0);
		expect("the cursor is at the end", list->next, 511);
	}
	expect("the first is zero", page_zero(large), true);
	expect("the last is zero", page_zero(large + 510 * 0x1000), true);
}

/* The same page twice in a list. */
static void doubled(void)
{
	uint64_t page = page_new();
	struct pvalidate_list *list = svsm_list();

	list->entries = 2;
	list->next = 0;
	list->entry[0] = list->entry[1] = page;
	expect("invalidate twice", svsm_pvalidate_list(), 0x80001010);
	expect("the cursor is at the second", list->next, 1);
	list->next = 0;
	list->entry[0] = list->entry[1] = page | ENTRY_VALIDATE;
	expect("validate twice", svsm_pvalidate_list(), 0x80001010);
	expect("the cursor is at the second", list->next, 1);
}

/* A list that takes its own page away. */
static void list_of_itself(void)
{
	uint64_t page = page_new(), other = page_new();
	struct pvalidate_list *list = (struct pvalidate_list *)page;

	page_fill(other);
	list->entries = 2;
	list->next = 0;
	list->reserved = 0;
	list->entry[0] = page;
	list->entry[1] = other;
	expect("its cursor cannot be written", call_at(page), 0x80000003);
	expect("the other page is what it was", page_filled(other), true);
	expect("validate it", svsm_pvalidate(page | ENTRY_VALIDATE), 0);
	expect("it is zero", page_zero(page), true);
}

/* The list in the calling area, where Linux has it. */
static void list_in_area(void)
{
	struct cpu *cpu = cpu_this();
	uint64_t page = page_new();
	struct pvalidate_list *list = (struct pvalidate_list *)(cpu->caa + 8);

	list->entries = 1;
	list->next = 0;
	list->entry[0] = page;
	expect("invalidate", call_at(cpu->caa + 8), 0);
	list->next = 0;
	list->entry[0] = page | ENTRY_VALIDATE;
	expect("validate", call_at(cpu->caa + 8), 0);
	expect("the header of the area as a list", call_at(cpu->caa), 0x80000005);
}

const struct rule rules[] = {
	{ "header of the list", "58019 6.2, table 6", list_header, 1 },
	{ "a list lies within a page", "58019 6.2", list_place, 1 },
	{ "page size and reserved bits of an entry", "58019 6.2, table 6", entry_bits, 1 },
	{ "alignment of 2 MiB", "58019 6.2, table 6", entry_alignment, 1 },
	{ "validate what is not the guest's", "58019 6.2", validate_bad, 1 },
	{ "validate it, whatever it was", "58019 6.2", validate_bad_again, 1 },
	{ "invalidate what is not the guest's", "58019 6.2", invalidate_bad, 1 },
	{ "2 MiB that are not the guest's", "58019 6.2", large_bad, 1 },
	{ "nothing changes twice", "58019 6.2, table 7", twice, 1 },
	{ "nothing of 2 MiB changes twice", "58019 6.2, table 7", twice_2m, 1 },
	{ "2 MiB of which one page is in another state", "58019 6.2, table 7", large_mixed, 1 },
	{ "a list stops at the entry that fails", "58019 6.2", list_stops, 1 },
	{ "the longest list", "58019 6.2", full_list, 1 },
	{ "a page twice in a list", "58019 6.2", doubled, 1 },
	{ "a list that takes its own page away", "58019 6.2", list_of_itself, 1 },
	{ "a list in the calling area", "58019 6.2", list_in_area, 1 },
	{ NULL, NULL, NULL, 0 },
};
