/* SPDX-License-Identifier: MIT */
#include "monitor/mem/tests/tlb_model.h"

#include <stdlib.h>
#include <string.h>

#include "monitor/arch/arch.h"
#include "monitor/base/direct.h"
#include "monitor/mem/tests/fake_tables.h"

#define ENTRIES_MAX 256u
#define ADDRESS 0x000ffffffffff000ull

/* A leaf, or a table above it: all of an entry that the CPU may keep. */
struct kept {
	bool valid, leaf;
	unsigned int level;
	uint64_t va; /* aligned to what it maps */
	uint64_t entry;
	bool write, user, no_exec; /* with those of the tables above */
};

static struct {
	uint64_t cr3, c_bit;
	struct kept kept[ENTRIES_MAX];
} tlb;

static uint64_t span(unsigned int level)
{
	return 0x1000ull << (9 * level);
}

static bool covers(const struct kept *kept, uint64_t va)
{
	return kept->valid && (va & ~(span(kept->level) - 1)) == kept->va;
}

void tlb_model_reset(uint64_t cr3, uint64_t c_bit)
{
	memset(&tlb, 0, sizeof(tlb));
	tlb.cr3 = cr3;
	tlb.c_bit = c_bit;
}

void tlb_model_load_cr3(uint64_t cr3)
{
	tlb.cr3 = cr3;
	for (unsigned int i = 0; i < ENTRIES_MAX; i++) {
		if (!tlb.kept[i].leaf || !(tlb.kept[i].entry & G))
			tlb.kept[i].valid = false;
	}
}

void arch_forget_page(va_t va)
{
	for (unsigned int i = 0; i < ENTRIES_MAX; i++) {
		if (!tlb.kept[i].leaf || covers(&tlb.kept[i], va.raw))
			tlb.kept[i].valid = false;
	}
}

void arch_forget_all(void)
{
	memset(tlb.kept, 0, sizeof(tlb.kept));
}

static struct kept *find(uint64_t va, bool leaf, unsigned int level)
{
	for (unsigned int i = 0; i < ENTRIES_MAX; i++) {
		struct kept *kept = &tlb.kept[i];

		if (covers(kept, va) && kept->leaf == leaf && (leaf || kept->level == level))
			return kept;
	}
	return NULL;
}

static struct kept *keep(const struct kept *what)
{
	for (unsigned int i = 0; i < ENTRIES_MAX; i++) {
		if (!tlb.kept[i].valid) {
			tlb.kept[i] = *what;
			return &tlb.kept[i];
		}
	}
	abort(); /* a test uses more pages than this */
}

static uint64_t *place_of(uint64_t table, uint64_t va, unsigned int level)
{
	return (uint64_t *)direct_ptr(gpa(table & ADDRESS & ~tlb.c_bit)) +
	       (va >> (12 + 9 * level)) % 512;
}

/* Walks through the tables that it remembers and, below them, those in memory. */
static struct kept *walk(uint64_t va)
{
	struct kept at = { .valid = true, .write = true, .user = true };
	uint64_t table = tlb.cr3;

	for (unsigned int level = 3;; level--) {
		const struct kept *known = find(va, false, level);

		if (known) {
			at = *known;
			table = known->entry;
			continue;
		}
		at.entry = *place_of(table, va, level);
		if (!(at.entry & P))
			return NULL;
		at.level = level;
		at.va = va & ~(span(level) - 1);
		at.write = at.write && (at.entry & W);
		at.user = at.user && (at.entry & U);
		at.no_exec = at.no_exec || (at.entry & NX);
		at.leaf = level == 0 || (at.entry & PS);
		if (at.leaf)
			return keep(&at);
		table = keep(&at)->entry;
	}
}

static bool allows(const struct kept *kept, unsigned int wants)
{
	return (!(wants & TLB_WRITE) || kept->write) && (!(wants & TLB_USER) || kept->user) &&
	       (!(wants & TLB_EXECUTE) || !kept->no_exec);
}

/* A first write is noted in the table, once: whoever clears the note there has to flush this. */
static void note_write(struct kept *kept)
{
	uint64_t table = tlb.cr3;

	if (kept->entry & D)
		return;
	for (unsigned int level = 3; level > kept->level; level--)
		table = *place_of(table, kept->va, level);
	*place_of(table, kept->va, kept->level) |= D;
	kept->entry |= D;
}

bool tlb_model_access(uint64_t va, unsigned int wants, uint64_t *physical)
{
	struct kept *kept = find(va, true, 0);

	/* An entry that does not allow it is looked up again before there is a fault. */
	if (kept && !allows(kept, wants)) {
		arch_forget_page((va_t){ va });
		kept = NULL;
	}
	if (!kept)
		kept = walk(va);
	if (!kept || !allows(kept, wants))
		return false;
	if (wants & TLB_WRITE)
		note_write(kept);
	*physical = (kept->entry & ADDRESS & ~(span(kept->level) - 1)) +
		    (va & (span(kept->level) - 1));
	return true;
}
